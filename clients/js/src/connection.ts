import type { Credential, End, State, WebSocketLike } from "../types/index";
import { attempt, ended, ending, part, type Failed, type Opened, type Why } from "./attempt";
import { backoff, between, windowIn } from "./backoff";
import { newTimer } from "./env";
import { newLiveness } from "./liveness";
import { watchPage } from "./page";
import type { Settings } from "./settings";
import { decode } from "./wire";

// Owner is what uses the connection.
export interface Owner {
  _change<T>(f: () => T): T; // the app's handlers run after f; the others are called in it
  _told(): void; // the state has changed
  _opened(ws: WebSocketLike, hello: any): void;
  _received(ws: WebSocketLike, m: any, data: string | ArrayBuffer): void;
  _gone(ws: WebSocketLike): void;
  _leaving(): void; // the page goes for good
  _alive(): void; // the server is, after it was in doubt
  _closed(end: End): void;
  _failed(e: unknown): void;
  _offer(): string[]; // a subprotocol that resumes the session
  _frame(out: boolean, data: string | ArrayBuffer | ArrayBufferView): void;
  _refresh(c: Credential): Promise<any>;
}

// View is what the app sees of the connection.
export interface View {
  state: State;
  rtt: number | null;
}

// Connection has a WebSocket to the server whenever that is possible, and judges when to
// try again. It knows nothing of what goes over it but hello, ping, pong and goaway.
export interface Connection {
  _open(): void;
  _close(code: number, reason: string): Promise<void>;
  _cut(code: number, reason: string): void; // and connect again
  _transmit(ws: WebSocketLike | null, data: string | ArrayBuffer | ArrayBufferView): void;
  _doubt(): void; // asks whether the server is alive if it was silent for too long
  _suspicious(): boolean;
}

export function newConnection(o: Settings, owner: Owner, view: View): Connection {
  const wakeWindow = 500; // in which a waiting client tries when its page is seen again
  const wakeSilence = 5_000; // after which an open one asks then
  const closeTime = 1_000; // for the server to answer a close
  const blockedAfter = 3; // WebSockets that failed though HTTP says that they would be taken
  const leastValidity = 5_000; // of a credential that is worth renewing
  const { env, auth } = o;
  const waiting = newTimer(env);
  const handover = newTimer(env);
  const expiry = newTimer(env);
  let ws: WebSocketLike | null = null; // after its hello
  let since = 0; // that it is open
  let spread = 0;
  let cancel: (() => void) | null = null; // of the try under way
  let doomed = false; // it began when it could hardly succeed
  let why: Why = "first";
  let failed = 0; // tries since the last good connection
  let denied = 0; // credentials since then
  let blocked = 0;
  let next: number | null = null; // when the server wants us to come back
  let farewell = ""; // it does not want us back
  let unwatch = () => {};

  const within = <A extends any[]>(f: (...args: A) => void) => (...args: A): void => owner._change(() => f(...args));

  const transmit: Connection["_transmit"] = (to, data) => {
    if (!to || to.readyState !== 1) return;
    owner._frame(true, data);
    to.send(data);
  };
  const live = newLiveness(
    env,
    o.probeTimeout,
    (t) => transmit(ws, JSON.stringify({ type: "ping", t })),
    () => cut(4001, "stale"),
    () => owner._alive(),
  );

  const set = (s: State) => {
    view.state = s;
    owner._told();
  };

  const stop = () => {
    const trying = cancel;
    if (trying) trying();
    cancel = null;
    return trying;
  };

  // ---- trying

  const start = () => {
    doomed = env.hidden() || !env.online();
    cancel = attempt(o, why, failed > 0, owner._offer, opened, refused);
  };

  const tryNow = within(() => {
    start();
    set({ name: "connecting", attempt: failed + 1 });
  });

  const opened: Opened = within((socket, hello, data) => {
    cancel = next = null;
    handover();
    farewell = "";
    blocked = 0;
    why = "again";
    ws = socket;
    since = env.now();
    spread = hello.spread || 0;
    socket.onmessage = within((e) => received(socket, e.data));
    socket.onclose = within((e) => (socket === ws ? lost(ended(e)) : owner._gone(socket)));
    if (!o.plain) {
      owner._frame(false, data);
      live._start(hello.beat || Infinity);
    }
    expires(hello.expires);
    view.state = { name: "open", since, resumed: !!hello.resumed };
    owner._opened(socket, hello);
    owner._told();
  });

  const refused: Failed = within((end, taken, error) => {
    cancel = null;
    if (error) owner._failed(error);
    if (ws) return; // a hand-over: the old one stays until the server ends it
    if (taken && ++blocked >= blockedAfter) end.reason = "blocked on this network";
    judge(end, false);
  });

  // ---- open

  const received = (from: WebSocketLike, data: string | ArrayBuffer) => {
    owner._frame(false, data);
    const m = decode(data);
    const type = !o.plain && m && m.type;
    if (from === ws) live._hear();
    if (type === "ping") {
      spread = m.spread || spread;
      if ("t" in m) transmit(from, JSON.stringify({ type: "pong", t: m.t }));
    } else if (type === "pong") view.rtt = env.now() - m.t;
    else if (type === "goaway") from === ws && goaway(m);
    else if (type !== "hello") owner._received(from, m, data);
  };

  // The server is about to end this connection.
  const goaway = ({ retry, after, reason }: any) => {
    if (!retry) farewell = reason || "goaway";
    if (!retry || next !== null) return;
    const wait = between(env.random(), after[0], after[1]);
    next = env.now() + wait;
    handover(wait, start);
  };

  // expires has the credential renewed before its end.
  const expires = (at: number) => {
    const rest = at - env.now();
    if (!auth || !(rest > leastValidity)) return; // the server will say that it has expired
    const now = ws;
    expiry(rest * between(env.random(), 0.8, 0.9), async () => {
      try {
        const c = await auth("expiring");
        if (c !== null && ws === now) at = (await owner._refresh(c)).expires;
      } catch (e) {
        if (ws === now) owner._failed(e);
      }
      if (ws === now) expires(at);
    });
  };

  const cut = within((code: number, reason: string) => {
    if (!ws) return;
    part(ws, code, reason);
    lost(ending(code, reason));
  });

  const lost = (end: End) => {
    const gone = ws!;
    ws = null;
    stop(); // a hand-over; it would begin a new session
    live._stop();
    expiry();
    handover();
    const good = env.now() - since >= o.stable;
    if (good) failed = denied = 0;
    if (farewell) end = { ...end, reason: farewell, final: true };
    owner._gone(gone);
    judge(end, good);
  };

  // ---- waiting

  const judge = (end: End, good: boolean) => {
    if (windowIn(end.reason)) end.final = false;
    const expired = end.code === 4401 || end.status === 401;
    if (expired) end.final = ++denied > 1;
    let verdict;
    try {
      verdict = o.retry && o.retry(end);
    } catch (e) {
      env.report(e);
    }
    if (verdict === false || (end.final && verdict === undefined)) return finish({ ...end, final: true });
    let wait = backoff(env.random(), o.backoff, end, failed, good, spread, o.hidden !== "same" && env.hidden());
    if (next !== null) wait = Math.max(0, next - env.now());
    next = null;
    if (!good) failed++;
    if (expired) {
      why = "expired";
      wait = 0;
    }
    pause(typeof verdict === "number" ? verdict : wait, end);
  };

  const pause = within((wait: number, end: End) => {
    waiting(wait, () => (o.hidden === "wait" && env.hidden() ? pause(4 * o.backoff.cap, end) : tryNow()));
    set({ name: "waiting", attempt: failed + 1, until: env.now() + wait, why: end });
  });

  const finish = within((end: End) => {
    stop();
    next = null;
    farewell = "";
    for (const timer of [waiting, handover, expiry]) timer();
    live._stop();
    unwatch();
    view.state = { name: "closed", why: end };
    owner._closed(end);
    owner._told();
  });

  // ---- the page

  const wake = within((type: string) => {
    const soon = env.random() * wakeWindow;
    const { state } = view;
    if (state.name === "open") {
      if (type !== "focus") live._doubt(wakeSilence);
    } else if (type === "offline") return;
    else if (state.name === "waiting") {
      if (env.now() + soon < state.until) pause(soon, state.why);
    } else if (doomed && stop()) pause(soon, ending(1006, "away"));
  });

  // The server need not pile up messages for a page that is frozen.
  const away = within((kept: boolean) => {
    if (!kept) owner._leaving();
    const code = kept || o.sessionKey ? 4000 : 1000;
    if (ws) cut(code, "away");
    else if (stop()) pause(o.backoff.first, ending(code, "away"));
  });

  return {
    _open: within(() => {
      const { name } = view.state;
      if (name === "waiting") {
        waiting();
        tryNow();
      } else if (name === "idle" || name === "closed") {
        failed = denied = blocked = 0;
        why = "first";
        unwatch = watchPage(env, wake, away);
        tryNow();
      }
    }),
    // Everything ends at once; the promise only waits for the server's answer.
    _close(code, reason) {
      const was = ws;
      ws = null;
      if (view.state.name !== "closed") finish(ending(code, reason, "us", true));
      return new Promise((resolve) => {
        const timer = newTimer(env);
        const done = () => {
          timer();
          resolve();
        };
        if (!was) return done();
        timer(closeTime, done);
        part(was, code, reason, done);
      });
    },
    _cut: cut,
    _transmit: transmit,
    _doubt: () => live._doubt(),
    _suspicious: live._suspicious,
  };
}
