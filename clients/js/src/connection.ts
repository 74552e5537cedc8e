import type { Credential, End, State, WebSocketLike } from "../types/index";
import { backoff, between } from "./backoff";
import { ended, ending, part, windowIn } from "./end";
import { newTimer } from "./env";
import type { Handlers } from "./handlers";
import { probe } from "./probe";
import type { Settings } from "./settings";
import { decode, type Data } from "./wire";

const protocol = "nextrush.v1";

// Owner is what uses the connection.
export interface Owner extends Handlers {
  _opened(ws: WebSocketLike, hello: any): void;
  _received(ws: WebSocketLike, m: any, data: string | ArrayBuffer): void;
  _gone(ws: WebSocketLike): void;
  _leaving(): void; // the page goes for good
  _closed(): void;
  _offer(): string[]; // a subprotocol that resumes the session
  _refresh(c: { bearer?: string; ticket?: string }): Promise<any>;
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
  _close(code?: number, reason?: string): Promise<void>;
  _cut(code: number, reason: string): void; // and connect again
  _transmit(ws: WebSocketLike | null, data: Data): void;
  _doubt(): boolean; // whether the server may be dead: asks it if it was silent for too long
}

const credentialOf = (c: Credential): { bearer?: string; ticket?: string } => (typeof c === "string" ? { bearer: c } : c);

export function newConnection(o: Settings, owner: Owner, view: View): Connection {
  const wakeWindow = 500; // in which a waiting client tries when its page is seen again
  const wakeSilence = 5_000; // after which an open one asks then
  const closeTime = 1_000; // for the server to answer a close
  const blockedAfter = 3; // WebSockets that failed though HTTP says that they would be taken
  const leastValidity = 5_000; // of a credential that is worth renewing
  const { auth, query, plain, env, stable = 10_000, probeTimeout = 5_000 } = o;
  const { window } = env;
  const trial = newTimer(env);
  const pausing = newTimer(env);
  const handover = newTimer(env);
  const expiry = newTimer(env);
  const looking = newTimer(env);
  const probing = newTimer(env);
  let ws: WebSocketLike | null = null; // after its hello
  let since: number; // that it is open
  let spread = 0;
  let trying: { _ws?: WebSocketLike } | null; // the try under way
  let doomed: boolean; // it began when it could hardly succeed
  let why: "first" | "again" | "expired"; // a credential is asked for
  let failed: number; // tries since the last good connection
  let denied: number; // credentials since then
  let blocked: number;
  let next: number | null = null; // when the server wants us to come back
  let farewell = ""; // it does not want us back

  const within = <A extends any[]>(f: (...args: A) => void) => (...args: A): void => owner._change(() => f(...args));

  const hidden = () => window.document?.hidden;

  const set = (s: State) => {
    view.state = s;
    owner._tell("sstate", s);
  };

  const failure = (e: unknown) => owner._tell("serror", e);

  const show = (out: boolean, data: Data) =>
    owner._tell("sframe", { out, text: typeof data === "string" ? data : data!.byteLength + " bytes" });

  const transmit: Connection["_transmit"] = (to, data) => {
    if (to?.readyState !== 1) return;
    show(true, data);
    to.send(data);
  };

  // ---- trying

  // start begins a try: credential, query, probe, WebSocket, hello. It ends once, or not
  // at all if it was stopped.
  const start = () => {
    const mine: typeof trying = (trying = {});
    const fail = within((end: End, error?: unknown) => {
      if (mine !== trying) return;
      stop();
      if (error) failure(error);
      if (!ws) judge(end, false); // in a hand-over the old one stays until the server ends it
    });
    const giveUp = (text: string, error?: unknown) => fail(ending(1006, text), error);
    doomed = hidden() || window.navigator?.onLine === false;
    trial(o.connectTimeout, () => giveUp("timeout"));
    dial(mine, fail, giveUp).catch((e) => giveUp(String(e), e));
  };

  const dial = async (mine: { _ws?: WebSocketLike }, fail: (end: End) => void, giveUp: (text: string) => void) => {
    await null; // auth and query are the app's: not while states change
    const credential = auth ? await auth(why) : "";
    if (credential === null) return fail(ending(1000, "no credential", "us", true));
    const { bearer, ticket } = credentialOf(credential);
    const url = new URL(o.url);
    const all: any = { ...(typeof query === "function" ? await query() : query), ...(ticket && { ticket }) };
    for (const name in all) url.searchParams.set(name, all[name]);
    const ask = () => (plain ? undefined : probe(env, url.href, probeTimeout, bearer));
    let found: any = failed > 0 && (await ask());
    if (mine !== trying) return;
    if (found?.code) return fail(found);

    const offers = plain ? [] : [protocol, ...owner._offer()];
    if (bearer) offers.push("bearer", bearer);
    const socket = (mine._ws = new (o.WebSocket || WebSocket)(url.href, offers));
    let up = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = within(() => {
      up = true;
      if (plain) opened(socket, {});
      else if (socket.protocol !== protocol) giveUp("no " + protocol);
    });
    socket.onmessage = within(({ data }) => {
      const hello = decode(data);
      if (hello?.type !== "hello") return giveUp("no hello");
      show(false, data);
      opened(socket, hello);
    });
    // Node.js 20 has an error, but no close, of a server that is not there.
    socket.onclose = socket.onerror = async (e: any) => {
      socket.onclose = socket.onerror = null;
      // Why a WebSocket did not open, a browser does not say.
      if (up) found = false;
      else found ||= await ask();
      const end = found?.code ? found : ended(e);
      if (found === true && ++blocked >= blockedAfter) end.reason = "blocked on this network";
      fail(end);
    };
  };

  // stop ends the try under way, and returns it.
  const stop = () => {
    const was = trying;
    trying = null;
    trial();
    part(was?._ws, 4001);
    return was;
  };

  const tryNow = () => {
    pausing();
    start();
    set({ name: "connecting", attempt: failed + 1 });
  };

  const opened = (socket: WebSocketLike, hello: any) => {
    trying = next = null;
    trial();
    handover();
    farewell = "";
    blocked = 0;
    why = "again";
    ws = socket;
    since = heard = env.now();
    spread = hello.spread || 0;
    beat = hello.beat || Infinity;
    socket.onerror = null;
    socket.onmessage = within((e) => received(socket, e.data));
    socket.onclose = within((e) => (socket === ws ? lost(ended(e)) : owner._gone(socket)));
    calm();
    watch();
    renew(hello.expires);
    set({ name: "open", since, resumed: !!hello.resumed });
    owner._opened(socket, hello);
  };

  // ---- open

  const received = (from: WebSocketLike, data: string | ArrayBuffer) => {
    show(false, data);
    let m = decode(data);
    if (plain && !/^(event|ack|error)$/.test(m?.type)) m = undefined;
    const type = m?.type;
    const current = from === ws;
    if (current) {
      heard = env.now();
      calm();
    }
    if (type === "ping") {
      spread = m.spread || spread;
      if ("t" in m) transmit(from, JSON.stringify({ type: "pong", t: m.t }));
    } else if (type === "pong") view.rtt = env.now() - m.t;
    else if (type === "goaway" && current) goaway(m);
    owner._received(from, m, data);
  };

  // The server is about to end this connection.
  const goaway = ({ retry, after, reason }: any) => {
    if (!retry) farewell = reason || "goaway";
    else if (next === null) {
      const wait = between(env.random(), after[0], after[1]);
      next = env.now() + wait;
      handover(wait, start);
    }
  };

  // renew has the credential renewed before its end. Of one that does not last the server
  // will say that it has expired.
  const renew = (at: number) => {
    const rest = at - env.now();
    const now = ws;
    if (!auth || !(rest > leastValidity)) return;
    expiry(rest * between(env.random(), 0.8, 0.9), async () => {
      try {
        const c = await auth("expiring");
        if (c !== null && ws === now) at = (await owner._refresh(credentialOf(c))).expires;
      } catch (e) {
        if (ws === now) failure(e);
      }
      if (ws === now) renew(at);
    });
  };

  const cut = (code: number, reason: string) => {
    part(ws, code, reason);
    if (ws) lost(ending(code, reason));
  };

  const lost = (end: End) => {
    const good = env.now() - since >= stable;
    const gone = ws!;
    rest();
    if (good) failed = denied = 0;
    else spread = 0; // which is for when a server is lost that had been there
    if (farewell) end = { ...end, reason: farewell, final: true };
    owner._gone(gone);
    judge(end, good);
  };

  // rest ends all that goes on while there is a connection.
  const rest = () => {
    ws = null;
    stop(); // a hand-over; it would begin a new session
    calm();
    for (const timer of [looking, expiry, handover, pausing]) timer();
  };

  // ---- dead connections

  // A browser does not say that a connection is dead: its pings are not shown to scripts.
  // Silence is judged by the clock and not by counting timers, which browsers slow down.
  // Suspicion never cuts the connection: it asks.
  const period = 5_000; // between two looks at the clock
  const grace = 5_000; // on top of the longest silence that the server announced
  const jump = 15_000; // that a look at the clock comes too late, or early
  const afterJump = 2_000; // to answer in, when the machine has slept
  const late = 1_000; // a timer that comes later has been kept from running
  let beat: number; // the longest silence of the server
  let heard: number;
  let suspicious = false;

  const off = (t: number) => Math.abs(env.now() - t); // clocks go back, too

  // doubt asks if nothing was heard for longer than a time.
  const doubt = (silence = beat, patience = probeTimeout) => {
    if (ws && !suspicious && off(heard) > silence) {
      suspicious = true;
      question(patience);
    }
    return suspicious;
  };

  // A late timer says nothing of the server: its answer may be the next task of a busy
  // page, or the machine has slept.
  const question = (patience: number) => {
    const t = env.now();
    transmit(ws, JSON.stringify({ type: "ping", t }));
    probing(patience, () => (off(t + patience) > late ? question(patience) : cut(4001, "stale")));
  };

  // watch looks at the clock each period, and when the silence has been too long.
  const watch = () => {
    const now = env.now();
    const rest = heard + beat + grace - now;
    const wait = rest >= 0 && rest < period ? rest + 1 : period;
    looking(wait, () => {
      if (off(now + wait) > jump) doubt(-1, Math.min(afterJump, probeTimeout));
      else doubt(beat + grace);
      watch();
    });
  };

  const calm = () => {
    suspicious = false;
    probing();
  };

  // ---- waiting

  const judge = (end: End, good: boolean) => {
    if (windowIn(end.reason)) end.final = false;
    const expired = end.code === 4401 || end.status === 401;
    if (expired) end.final = ++denied > 1;
    let verdict: boolean | number = !end.final;
    try {
      verdict = o.retry?.(end) ?? verdict;
    } catch (e) {
      owner._report(e);
    }
    if (verdict === false) return finish(end);
    let wait = backoff(env.random(), o.backoff, end, failed, good, spread, !!hidden() && o.hidden !== "same");
    if (next !== null) wait = Math.max(0, next - env.now());
    next = null;
    if (!good) failed++;
    if (expired) {
      why = "expired";
      wait = 0;
    }
    pause(verdict === true ? wait : verdict, end);
  };

  const pause = (wait: number, why: End) => {
    pausing(wait, () => (o.hidden === "wait" && hidden() ? pause(4 * o.backoff.cap, why) : tryNow()));
    set({ name: "waiting", attempt: failed + 1, until: env.now() + wait, why });
  };

  const finish = (why: End) => {
    rest();
    next = null;
    farewell = "";
    each("removeEventListener");
    set({ name: "closed", why: { ...why, final: true } });
    owner._closed();
  };

  // ---- the page

  // Whether the page is hidden is asked when it matters and never remembered: events get
  // lost. Unload is never listened to: that keeps pages out of the browser's cache.
  const listen = within((e: any) => {
    const { type } = e;
    if (/freeze|pagehide/.test(type)) away(type === "freeze" || e.persisted);
    else if (type !== "visibilitychange" || !hidden()) wake(type);
  });

  // Those of the document are caught on their way down; the focus of a field is none.
  const each = (f: "addEventListener" | "removeEventListener") => {
    for (const type of "online offline visibilitychange pageshow pagehide freeze resume focus".split(" ")) {
      window[f]?.(type, listen, type !== "focus");
    }
  };

  // The page is seen again, or the network came back: what happened meanwhile is unknown.
  const wake = (type: string) => {
    const soon = env.random() * wakeWindow;
    const { state } = view;
    if (state.name === "open") {
      if (type !== "focus") doubt(wakeSilence);
    } else if (type === "offline") return;
    else if (state.name === "waiting") {
      if (env.now() + soon < state.until) pause(soon, state.why);
    } else if (doomed && stop()) pause(soon, ending(1006, "away"));
  };

  // The page will not run. The server need not pile up messages for it. kept: it may come back.
  const away = (kept: boolean) => {
    const code = kept || o.sessionKey ? 4000 : 1000;
    if (!kept) owner._leaving();
    if (ws) cut(code, "away");
    else if (stop()) pause(o.backoff.first, ending(code, "away"));
  };

  return {
    _open: within(() => {
      const { name } = view.state;
      if (name === "waiting") tryNow();
      else if (name === "idle" || name === "closed") {
        failed = denied = blocked = 0;
        why = "first";
        each("addEventListener");
        tryNow();
      }
    }),
    // Everything ends at once; the promise only waits for the server's answer.
    _close(code = 1000, reason = "") {
      const was = ws;
      ws = null;
      if (view.state.name !== "closed") owner._change(() => finish(ending(code, reason)));
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
    _doubt: () => doubt(),
  };
}
