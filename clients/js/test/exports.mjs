// What is published can be imported where there is no page, and does nothing by that.
const before = Object.keys(globalThis).length;
const core = await import("nextrush-client");
const { presence } = await import("nextrush-client/presence");
const all = await import("nextrush-client/nextrush.js");
if (Object.keys(globalThis).length !== before) throw new Error("a global was added");
const { useSocket, useSocketState, useEvent } = await import("nextrush-client/react");
const want = ["ClosedError", "LostError", "RequestError", "TimeoutError", "client", "connect"];
if (Object.keys(core).sort().join() !== want.join()) throw new Error("exports: " + Object.keys(core));
if (Object.keys(all).sort().join() !== [...want, "presence"].join()) throw new Error("exports: " + Object.keys(all));
for (const f of [presence, useSocket, useSocketState, useEvent]) if (typeof f !== "function") throw new Error(String(f));
const socket = core.connect("/", { url: "http://127.0.0.1:1", lazy: true });
if (socket.state.name !== "idle") throw new Error(socket.state.name);
console.log("imported");
