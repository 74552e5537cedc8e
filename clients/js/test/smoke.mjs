// Against a server of Go, plainly or with the protocol: the program that runs this kills the server when
// it reads "connected", and starts it again.
import assert from "node:assert/strict";
import { connect } from "../dist/index.js";

const [, , url, mode] = process.argv;
const plain = mode === "plain";
const socket = connect("/echo", { url, plain, backoff: { base: 100, first: 100 } });
const states = [];
socket.watch("state", ({ name }) => states.push(name));
const heard = (event) => new Promise((resolve) => socket.on(event, resolve, { once: true }));

socket.handle("upper", (text) => text.toUpperCase());
const echo = heard("echo");
assert.equal(socket.emit("say", { text: "hi" }), true); // before it is open
assert.deepEqual(await echo, { text: "hi" });
assert.equal(await socket.request("double", 21), 42);
await assert.rejects(socket.request("fail", 1), { name: "RequestError", message: "it fails" });
assert.equal(await socket.request("ask", "name"), "NAME"); // the server asks the client

assert.equal(socket.id === null, plain);
const bytes = Uint8Array.of(0, 1, 255);
const back = heard("bytes");
if (!plain) {
  assert.equal(socket.emit("bytes", undefined, { bytes }), true);
  assert.deepEqual(new Uint8Array(await back), bytes);
  assert.equal(await socket.request("count", null, { bytes }), 3);
}

const away = new Promise((resolve) => socket.watch("state", (s) => s.name === "waiting" && resolve()));
console.log("connected");
await away;
assert.equal(await socket.request("double", 4), 8); // asked while there is no server
assert.ok(states.filter((s) => s === "open").length === 2, states.join());
await socket.close();
assert.equal(socket.state.name, "closed");
console.log("done");
