import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nextrush-client";
import { presence } from "nextrush-client/presence";
import { FakeEnv, settle } from "./fake";

test("presence follows states, differences and counts", async () => {
  const env = new FakeEnv();
  const socket: any = connect("/", env.options());
  await settle();
  env.last.hello();
  const who = presence<{ name: string }>(socket.room("r"));
  assert.deepEqual(env.last.frames(), [{ type: "presence", room: "r" }]);
  const changes: any[] = [];
  const off = who.watch((c) => changes.push([c.joined, c.left, c.sync]));
  const say = (more: any) => env.last.say({ type: "presence", room: "r", ...more });

  say({ set: { ann: { data: { name: "Ann" }, sockets: 1 }, bob: { data: { name: "Bob" }, sockets: 2 } } });
  say({ join: { eve: { data: null, sockets: 1 }, bob: { data: { name: "Bob" }, sockets: 3 } }, leave: ["ann", "nobody"] });
  assert.deepEqual([...who.members.keys()], ["bob", "eve"]);
  assert.equal(who.members.get("bob")!.sockets, 3);
  assert.equal(who.count, 2);
  say({ set: { bob: { data: { name: "Bob" }, sockets: 1 }, dan: { data: null, sockets: 1 } } });
  say({ count: 501 });
  assert.equal(who.count, 501);
  assert.equal(who.members.size, 0);
  off();
  say({ set: {} });
  assert.deepEqual(changes, [
    [["ann", "bob"], [], true],
    [["eve"], ["ann"], false],
    [["dan"], ["eve"], true],
    [[], ["bob", "dan"], true],
  ]);
  socket.close();
});

test("what was set is said again in a new session", async () => {
  const env = new FakeEnv();
  const socket: any = connect("/", env.options());
  await settle();
  env.last.hello();
  const who = presence(socket.room("r"));
  who.set({ typing: true });
  env.last.frames();
  env.last.end();
  await env.advance(1_000);
  env.last.hello();
  env.last.say({ type: "presence", room: "r", set: {} });
  assert.deepEqual(env.last.frames(), [{ type: "presence", room: "r", data: { typing: true } }]);
  socket.close();
});
