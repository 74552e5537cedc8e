import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nextrush-client";
import { FakeEnv, settle } from "./fake";

// start opens a socket, whose log tells when it asks, and when it gives the connection up.
async function start(hello = { beat: 30_000 } as { beat?: number }) {
  const env = new FakeEnv(0);
  const log: string[] = [];
  const socket = connect("/chat", env.options());
  await settle();
  const ws = env.last;
  ws.hello({ beat: undefined, ...hello });
  ws.onsent = (data) => JSON.parse(data).type === "ping" && log.push(`ask ${env.time}`);
  ws.onclosed = () => log.push(`dead ${env.time}`);
  // What is emitted in doubt waits.
  const doubts = () => {
    socket.emit("a", 1);
    return socket.buffered.messages > 0;
  };
  return { env, socket, log, doubts, hear: () => ws.say({ type: "ping" }) };
}

test("silence for longer than beat + 5 s asks, then cuts", async () => {
  const { env, log, doubts } = await start();
  await env.advance(35_000);
  assert.deepEqual(log, []);
  await env.advance(1);
  assert.deepEqual(log, ["ask 35001"]);
  assert.ok(doubts());
  await env.advance(5_000);
  assert.deepEqual(log, ["ask 35001", "dead 40001"]);
});

test("wherever the silence begins, a dead connection is noticed within beat + 10 s", async () => {
  for (let last = 0; last < 60_000; last += 1_234) {
    const { env, log, hear } = await start();
    for (let t = 0; t < last; t += 617) {
      hear();
      await env.advance(617);
    }
    hear();
    const began = env.time;
    await env.advance(60_000);
    assert.deepEqual(log, [`ask ${began + 35_001}`, `dead ${began + 40_001}`]);
  }
});

test("anything that arrives ends the suspicion, and what waited leaves", async () => {
  const { env, socket, log, doubts, hear } = await start();
  await env.advance(37_000);
  assert.ok(doubts());
  hear();
  assert.equal(socket.buffered.messages, 0);
  assert.ok(!doubts());
  await env.advance(35_000);
  assert.deepEqual(log, ["ask 35001"]);
});

test("a jump of the clock asks, whatever was heard, with 2 s to answer", async () => {
  for (const jump of [60_000, -60_000]) {
    const { env, log, hear } = await start();
    await env.advance(4_000);
    env.set(jump);
    hear();
    await env.advance(10_000);
    assert.equal(log.length, 2, log.join());
    const [ask, dead] = log.map((l) => Number(l.split(" ")[1]));
    assert.equal(dead - ask, 2_000);
  }
});

test("timers that a hidden page slows to a minute are harmless", async () => {
  const { env, log, doubts, hear } = await start();
  for (let i = 0; i < 10; i++) {
    await env.sleep(60_000); // the check comes as late as that
    if (doubts()) hear();
  }
  assert.ok(log.length > 0);
  assert.ok(log.every((l) => !l.startsWith("dead")), log.join());
});

test("a page that was busy asks again before it cuts: the answer may be the next task", async () => {
  const { env, log, hear } = await start();
  await env.advance(36_000);
  await env.sleep(30_000);
  assert.ok(log.every((l) => !l.startsWith("dead")), log.join());
  assert.equal(log.filter((l) => l.startsWith("ask")).length, 2);
  hear();
  await env.advance(10_000);
  assert.ok(log.every((l) => !l.startsWith("dead")), log.join());
});

test("an emit asks only after silence for longer than beat, and not twice", async () => {
  const { env, log, doubts } = await start();
  env.time = 30_000;
  assert.ok(!doubts());
  assert.deepEqual(log, []);
  env.time = 30_001;
  assert.ok(doubts());
  assert.ok(doubts());
  assert.deepEqual(log, ["ask 30001"]);
});

test("without a beat silence means nothing", async () => {
  const { env, log, doubts } = await start({});
  await env.advance(1_000_000);
  assert.ok(!doubts());
  assert.deepEqual(log, []);
});

test("closed in doubt, it has no timer and asks nothing", async () => {
  const { env, socket, log } = await start();
  await env.advance(37_000);
  socket.close();
  await env.advance(100_000);
  assert.deepEqual(log, ["ask 35001", "dead 37000"]); // by the close
  assert.equal(env.timers.size, 0);
});
