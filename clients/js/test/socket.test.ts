import assert from "node:assert/strict";
import { test } from "node:test";
import { client, ClosedError, connect, LostError, RequestError, TimeoutError } from "nextrush-client";
import { FakeEnv, settle } from "./fake";

async function opened(options: any = {}, hello: any = {}) {
  const env = new FakeEnv();
  const socket: any = connect("/chat", env.options(options));
  await settle();
  env.last.hello(hello);
  env.last.sent = [];
  return { env, socket, ws: env.last };
}

test("paths, parameters and addresses", async () => {
  const env = new FakeEnv();
  const urls: [string, any, any, string][] = [
    ["/chat/{room}", { room: "a b/c" }, {}, "wss://a.example/chat/a%20b%2Fc"],
    ["/{a}/{b}", { a: 1, b: "ü" }, {}, "wss://a.example/1/%C3%BC"],
    ["/chat", undefined, { url: "http://b.example/base/" }, "ws://b.example/base/chat"],
    ["/chat", undefined, { url: "wss://b.example:8443" }, "wss://b.example:8443/chat"],
    ["", undefined, { url: "wss://b.example/chat" }, "wss://b.example/chat"],
    ["wss://b.example/chat", undefined, {}, "wss://b.example/chat"],
    ["http://b.example:80/{room}?x=1", { room: "a b" }, { url: "https://c.example" }, "ws://b.example/a%20b?x=1"],
    ["/chat", undefined, { query: { a: "1&2" } }, "wss://a.example/chat?a=1%262"],
    ["/chat?x=1", undefined, { query: async () => ({ y: "2" }) }, "wss://a.example/chat?x=1&y=2"],
  ];
  for (const [path, params, options, want] of urls) {
    const c: any = client(env.options());
    const own = env.options(options);
    const sockets = params ? [c.connect(path, params, options), connect(path, params, own)] : [c.connect(path, options), connect(path, own)];
    if (!params) sockets.push(c.connect(path, {}, options), connect(path, {}, own), connect(path, undefined as any, own));
    await settle();
    assert.deepEqual(env.sockets.splice(0).map((s) => s.url), sockets.map(() => want));
    for (const s of sockets) s.close();
  }
  for (const params of [undefined, {}, { rom: "tea" }] as any[]) {
    assert.throws(() => connect("/chat/{room}", params, env.options()), /parameter room/);
  }
  assert.throws(() => connect("/chat", env.options({ url: undefined, env: { window: {} } })), /set the option url/);
  assert.throws(() => connect("chat", env.options())); // not of the host a.examplechat
});

test("it opens in the next microtask, unless lazy or closed before", async () => {
  const env = new FakeEnv();
  const socket = connect("/", env.options());
  assert.equal(socket.state.name, "idle");
  const lazy = connect("/", env.options({ lazy: true }));
  const closed = connect("/", env.options());
  await closed.close();
  await settle();
  assert.deepEqual([socket, lazy, closed].map((s) => s.state.name), ["connecting", "idle", "closed"]);
  assert.equal(env.sockets.length, 1);
});

test("ready", async () => {
  const env = new FakeEnv();
  const socket = connect("/", env.options());
  const ready = socket.ready();
  const c = new AbortController();
  const aborted = socket.ready({ signal: c.signal });
  c.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await settle();
  env.last.hello();
  assert.equal(await ready, socket);
  assert.equal(await socket.ready(), socket);
  await assert.rejects(socket.ready({ signal: AbortSignal.abort(new Error("before")) }), /before/);
  socket.close();
  await assert.rejects(socket.ready(), ClosedError);
});

test("handlers: once, signal, removal, and what they throw", async () => {
  const { env, socket, ws } = await opened();
  const heard: string[] = [];
  const c = new AbortController();
  const off = socket.on("a", () => heard.push("plain"));
  socket.on("a", () => heard.push("once"), { once: true });
  socket.on("a", () => heard.push("signal"), { signal: c.signal });
  socket.on("a", () => heard.push("never"), { signal: AbortSignal.abort() });
  socket.on("a", () => {
    throw new Error("boom");
  });
  socket.on("a", (_: any, m: any) => heard.push("args " + m.args));
  ws.say({ type: "event", event: "a", data: [1, 2], timestamp: 5 });
  c.abort();
  ws.say({ type: "event", event: "a", data: [] });
  off();
  off();
  ws.say({ type: "event", event: "a" });
  assert.deepEqual(heard, ["plain", "once", "signal", "args 1,2", "plain", "args ", "args "]);
  assert.deepEqual(env.page.reported.map(String), ["Error: boom", "Error: boom", "Error: boom"]);
});

test("a handler that closes acts on the new state, and all hear the same order", async () => {
  const env = new FakeEnv();
  const socket = connect("/", env.options());
  const heard: string[] = [];
  socket.watch("state", (s) => {
    heard.push("first " + s.name + " " + socket.state.name);
    if (s.name === "open") socket.close();
  });
  socket.watch("state", (s) => heard.push("second " + s.name));
  await settle();
  env.last.hello();
  assert.deepEqual(heard, [
    "first connecting connecting", "second connecting", "first open open", "second open", "first closed closed", "second closed",
  ]);
  assert.equal(env.last.closed?.code, 1000);
});

test("a handler of closed may open again", async () => {
  const { env, socket } = await opened();
  socket.watch("state", (s: any) => s.name === "closed" && socket.open(), { once: false });
  socket.close();
  assert.equal(socket.state.name, "connecting");
  await settle();
  assert.equal(env.sockets.length, 2);
});

test("errors say what they are", async () => {
  const { env, socket, ws } = await opened();
  const settled = (p: Promise<any>) => p.then(() => assert.fail(), (e) => e);
  const refused = settled(socket.request("a", 1));
  ws.say({ type: "error", id: 1, message: "no", errors: [1] });
  const late = settled(socket.request("b", 1, { timeout: 5 }));
  await env.advance(5);
  const lost = settled(socket.request("c", 1));
  ws.end();
  const closed = settled(socket.request("d", 1));
  socket.close();
  for (const [p, type, name] of [[refused, RequestError, "RequestError"], [late, TimeoutError, "TimeoutError"], [lost, LostError, "LostError"], [closed, ClosedError, "ClosedError"]] as any) {
    const e = await p;
    assert.ok(e instanceof type && e instanceof Error);
    assert.equal(e.name, name);
  }
  assert.equal((await refused).event, "a");
  assert.equal((await closed).why.by, "us");
});

test("a request that is aborted does not leave", async () => {
  const env = new FakeEnv();
  const socket = connect("/", env.options());
  const c = new AbortController();
  const p = socket.request("a", 1, { signal: c.signal });
  const never = socket.request("b", 1, { signal: AbortSignal.abort(new Error("before")) });
  await assert.rejects(never, /before/);
  assert.equal(socket.buffered.messages, 1);
  c.abort(new Error("enough"));
  await assert.rejects(p, /enough/);
  assert.equal(socket.buffered.messages, 0);
  await settle();
  env.last.hello();
  assert.deepEqual(env.last.frames(), []);
});

test("keys are made for requests that may be asked again", async () => {
  const keys = async (env = {}) => {
    const { socket, ws } = await opened({ env });
    for (let i = 0; i < 100; i++) socket.request("a", 1, { retry: true }).catch(() => {});
    socket.close();
    const all = ws.frames().map((f) => f.key);
    for (const key of all) assert.match(key, /^(\d+-){3}\d+$/);
    assert.equal(new Set(all).size, 100);
  };
  await keys(); // not of env.random, which gives the same again and again
  const { socket, ws } = await opened({ env: { key: () => "mine" } });
  socket.request("a", 1, { retry: true }).catch(() => {});
  assert.equal(ws.frames()[0].key, "mine");
  socket.close();
});

test("volatile messages leave only if the WebSocket has room", async () => {
  const { socket, ws } = await opened();
  ws.bufferedAmount = 65_536;
  assert.equal(socket.emit("a", 1, { volatile: true }), false);
  assert.equal(socket.emit("a", 2), true);
  ws.bufferedAmount = 65_535;
  assert.equal(socket.emit("a", 3, { volatile: true }), true);
  assert.deepEqual(ws.frames().map((f) => f.data[0]), [2, 3]);
});

test("option retry judges", async () => {
  const verdicts: any[] = [true, 123, false];
  const ends: any[] = [];
  const { env, socket } = await opened({
    retry: (e: any) => {
      ends.push(e);
      return verdicts.shift();
    },
  });
  env.last.end(4403, "no");
  assert.equal(socket.state.name, "waiting");
  await env.advance(1_000);
  env.last.end(1006);
  await settle();
  assert.equal(socket.state.until, env.time + 123);
  await env.advance(123);
  env.last.end(1006);
  await settle();
  assert.equal(socket.state.name, "closed");
  assert.deepEqual(ends.map((e) => [e.code, e.final]), [[4403, true], [1006, false], [1006, false]]);
});

test("open tries now if it waits", async () => {
  const { env, socket, ws } = await opened();
  ws.end();
  socket.open();
  assert.equal(socket.state.name, "connecting");
  await env.advance(60_000);
  assert.ok(env.live <= 1);
});

test("auth and query that never settle end with the try", async () => {
  const env = new FakeEnv();
  let asked = 0;
  const socket = connect("/", env.options({ auth: () => (++asked, new Promise(() => {})) }));
  await env.advance(10_000);
  assert.equal(socket.state.name, "waiting");
  await env.advance(20_000);
  assert.ok(asked >= 2);
  assert.equal(env.sockets.length, 0);
});

test("a frame that is not what it should be harms nothing", async () => {
  const { env, socket, ws } = await opened();
  for (const frame of ["null", "1", "{}", '{"type":5}', '{"type":"ack"}', '{"type":"ack","id":99,"data":[1]}', '{"type":"pong"}', '{"type":"constructor"}', '{"type":"toString"}', "{", '{"type":"__proto__"}', '{"type":"synced","room":"x"}', '{"type":"event"}']) {
    ws.say(frame);
  }
  ws.say(new ArrayBuffer(0));
  ws.say(new ArrayBuffer(1));
  ws.say(new Uint8Array([255, 255, 1]).buffer);
  assert.equal(socket.state.name, "open");
  assert.deepEqual(env.page.reported, []);
});

test("frames are shown, both ways", async () => {
  const env = new FakeEnv();
  const socket = connect("/", env.options());
  const shown: string[] = [];
  socket.watch("frame", ({ out, text }) => shown.push((out ? ">" : "<") + text.slice(0, 15)));
  await settle();
  env.last.hello();
  socket.emit("a", 1);
  env.last.say({ type: "ping", t: 1 });
  env.last.say(new ArrayBuffer(3));
  assert.deepEqual(shown, ['<{"type":"hello"', '>{"type":"event"', '<{"type":"ping",', '>{"type":"pong",', "<3 bytes"]);
});

test("the session outlives a reload, once", async () => {
  const { env, socket, ws } = await opened({ sessionKey: "k" }, { can: ["resume", "history"] });
  socket.request("a", 1).catch(() => {});
  ws.say({ type: "joined", room: "r", epoch: "e", offset: 4 });
  env.page.tell("pagehide", { persisted: false });
  assert.equal(ws.closed?.code, 4000);
  socket.close();

  const again: any = connect("/chat", env.options({ sessionKey: "k" }));
  const copy: any = connect("/chat", env.options({ sessionKey: "k" }));
  await settle();
  const [first, second] = env.sockets.slice(-2);
  assert.deepEqual(first.protocols, ["nextrush.v1", "resume.t1.1"]);
  assert.deepEqual(second.protocols, ["nextrush.v1"]);
  first.hello({ resumed: true, session: "t2", got: 1, can: ["resume", "history"] });
  assert.deepEqual(again.room("r").position, ["e", 4]);
  again.request("b", 1).catch(() => {});
  assert.equal(first.frames()[0].id, 2);
  again.close();
  copy.close();
});

test("a storage that the user forbids is done without", async () => {
  const { env, socket } = await opened({ sessionKey: "k" }, { can: ["resume"] });
  Object.defineProperty(env.page, "sessionStorage", {
    get() {
      throw new Error("SecurityError");
    },
  });
  env.page.tell("pagehide", { persisted: false });
  assert.equal(socket.state.name, "waiting");
});

test("disposing closes", async () => {
  const { socket } = await opened();
  const { dispose } = Symbol as any;
  if (dispose) socket[dispose]();
  else socket.close();
  assert.equal(socket.state.name, "closed");
});

test("a room that was asked for is asked for in each new session, though one did not answer", async () => {
  const { env, socket, ws } = await opened();
  const joined = socket.room("r").join();
  ws.say({ type: "ack", id: ws.frames()[0].id, data: [] });
  await joined;
  for (let i = 0; i < 2; i++) {
    env.last.end();
    await env.advance(1_500);
    env.last.hello();
    assert.equal(env.last.frames()[0].type, "join");
    await env.advance(11_000); // nobody answers
  }
  env.last.end();
  await env.advance(1_500);
  env.last.hello();
  env.last.say({ type: "error", id: env.last.frames()[0].id, message: "members only" });
  await env.advance(1_000);
  env.last.end();
  await env.advance(1_500);
  env.last.hello();
  assert.deepEqual(env.last.frames(), []);
  socket.close();
});

test("more live messages than may be held are a gap", async () => {
  const { env, socket, ws } = await opened({}, { can: ["history"] });
  const gaps: any[] = [];
  const heard: number[] = [];
  socket.watch("gap", (g: any) => g.room && gaps.push(g));
  socket.on("m", (n: number) => heard.push(n));
  ws.say({ type: "joined", room: "r", epoch: "e", offset: 0 });
  ws.end();
  await env.advance(1_000);
  env.last.hello({ can: ["history"] });
  for (let i = 5; i < 5 + 1_025; i++) env.last.say({ type: "event", event: "m", data: [i], room: "r", offset: i });
  assert.deepEqual(gaps, [{ room: "r", from: ["e", 0], to: ["e", 1_029], why: "overflow" }]);
  env.last.say({ type: "event", event: "m", data: [3], room: "r", offset: 3, replayed: true });
  env.last.say({ type: "synced", room: "r", recovered: true, epoch: "e", offset: 1_029 });
  env.last.say({ type: "event", event: "m", data: [1_030], room: "r", offset: 1_030 });
  assert.deepEqual(heard, [1_030]);
});

test("an error that no close follows ends a try", async () => {
  const env = new FakeEnv();
  const socket = connect("/chat", env.options({ backoff: { base: 100, first: 100 } }));
  await settle();
  env.last.onerror({});
  await settle();
  assert.equal(socket.state.name, "waiting");
  env.last.onclose?.({ code: 1006, reason: "" }); // where one follows, it changes nothing
  await env.advance(100);
  assert.equal(env.sockets.length, 2);
  env.last.hello();
  assert.equal(socket.state.name, "open");
  socket.close();
});

test("a probe that nobody answers says nothing, and does not outlive its time", async () => {
  const env = new FakeEnv();
  const socket: any = connect("/chat", env.options({ probeTimeout: 30, env: { fetch: env.fetch } }));
  await settle();
  env.last.end();
  await settle();
  const { init } = env.fetches[0];
  assert.equal(init.cache, "no-store");
  const alive = setInterval(() => {}, 1_000); // which the signal's own timer does not keep Node.js
  await new Promise((resolve) => init.signal.addEventListener("abort", resolve));
  clearInterval(alive);
  env.fetches[0].fail(init.signal.reason);
  await settle();
  assert.deepEqual([socket.state.name, socket.state.why.reason], ["waiting", ""]);
  socket.close();
});
