import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { connect } from "nextrush-client";
import { useEvent, useSocket, useSocketState } from "nextrush-client/react";
import { Root } from "react";
import { FakeEnv, settle } from "./fake";

function app(server = false) {
  const env = new FakeEnv();
  const made: any[] = [];
  const heard: string[] = [];
  const props = { room: "tea", tag: "a" };
  const root = new Root(() => {
    const socket: any = useSocket(() => {
      const s = connect("/" + props.room, env.options());
      made.push(s);
      return s as any;
    }, [props.room]);
    const state = useSocketState(socket);
    useEvent(socket, "chat", (m: any) => heard.push(props.tag + m));
    return { socket, state };
  }, server);
  return { env, made, heard, props, root };
}

test("the socket is made after the first render, and kept by StrictMode", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { env, made, heard, props, root } = app();
  root.render();
  root.strict();
  await settle();
  assert.equal(made.length, 1);
  assert.equal(root.shown.socket, made[0]);
  assert.equal(root.shown.state.name, "connecting");
  env.last.hello();
  assert.equal(root.shown.state.name, "open");
  props.tag = "b";
  root.render();
  env.last.say({ type: "event", event: "chat", data: [1] });
  assert.deepEqual(heard, ["b1"]);
  mock.timers.tick(5_000);
  assert.equal(made[0].state.name, "open");

  props.room = "coffee"; // another socket
  root.render();
  assert.equal(made[0].state.name, "closed");
  assert.equal(root.shown.socket, made[1]);
  root.unmount();
  mock.timers.tick(999);
  assert.notEqual(made[1].state.name, "closed");
  mock.timers.tick(1);
  assert.equal(made[1].state.name, "closed");
  mock.timers.reset();
});

test("a server renders an idle socket", () => {
  const { made, root } = app(true);
  const { socket, state } = root.render();
  assert.equal(state.name, "idle");
  assert.equal(made.length, 0);
  assert.equal(socket.emit("a", 1), false);
  assert.equal(socket.room("r").joined, false);
  assert.rejects(socket.request("a", 1));
});
