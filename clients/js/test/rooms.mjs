// Rooms of a server of Go: what was sent while the client was away, presence, joining.
import assert from "node:assert/strict";
import { connect } from "../dist/nextrush.js";
import { presence } from "../dist/presence.js";

const socket = connect("/rooms", { url: process.argv[2], backoff: { base: 100, first: 100 } });
const until = (watch, f) => new Promise((resolve) => watch((v) => f(v) && resolve(v)));
const gaps = [];
socket.watch("gap", (g) => gaps.push(g));

const news = [];
const tea = socket.room("tea");
const all = until((f) => tea.on("news", (n, m) => f(news.push([n, m.replayed, m.offset]))), (n) => n === 6);
const who = presence(tea);
const present = until((f) => who.watch(f), () => who.members.size === 1);

await socket.request("publish", 2); // 1 and 2
await present;
assert.equal([...who.members.values()][0].sockets, 1);
assert.equal(tea.position[1], 2);
const left = until((f) => socket.watch("state", f), (s) => s.name === "waiting");
socket.emit("leave", "retry=50-100"); // the server closes, and sends 3 and 4 meanwhile
await left;
await socket.ready();
await socket.request("publish", 2); // 5 and 6
await all;
assert.deepEqual(news, [1, 2, 3, 4, 5, 6].map((n) => [n, n === 3 || n === 4, n]));
assert.deepEqual(gaps.map((g) => g.room), [null]);

// The server knows from where to replay, and the client has not asked.
const more = until((f) => tea.on("news", f), (n) => n === 7);
assert.equal(await socket.request("again", 2), true);
await socket.request("publish", 1);
await more;
assert.deepEqual(news.slice(6), [[5, true, 5], [6, true, 6], [7, false, 7]]);
assert.equal(await socket.request("again", -5), false); // nobody knows what comes then
assert.deepEqual(gaps.map((g) => g.room), [null, "tea"]);
assert.equal(tea.position[1], 7);

assert.deepEqual(await socket.room("open").join(), { recovered: true });
await assert.rejects(socket.room("closed").join(), { name: "RequestError" });
await socket.room("open").leave();
await socket.close();
console.log("done");
