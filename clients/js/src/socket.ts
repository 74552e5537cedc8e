import type { Ask, Dropped, Env, Send, Session as First, Signals, Socket, WebSocketLike } from "../types/index";
import { newConnection } from "./connection";
import { part } from "./end";
import { ClosedError, LostError, RequestError, TimeoutError } from "./errors";
import { newTimer } from "./env";
import { newHandlers } from "./handlers";
import { newRooms } from "./rooms";
import type { Settings } from "./settings";
import { onAbort } from "./abort";
import { argsOf, encode, size, type Data } from "./wire";

// Session is what the server knows this client by. With resume agreed, so that there is
// a token, it outlives its WebSocket: both sides count the messages of each other, and
// keep their own until counted. No message carries its number: both count from the same.
interface Session {
  _ws: WebSocketLike | null;
  _id: string | null;
  _token: string | null;
  _ready?: boolean; // set up, so that what waits may leave
  _received: number;
  _sent: number;
  _got: number; // of ours that the server has counted
}

// Message is one on its way out.
interface Message {
  data: Data;
  _size: number; // bytes
  _event: string; // empty: nobody is told that it was dropped
  _until: number; // when it is too old to be sent
  _session?: Session; // that it was sent in
  _n?: number; // of those sent in it
  // Of a request:
  _id?: number;
  _retry?: boolean;
  _promise?: Promise<any>;
  _settle?(error: unknown, value?: any): void; // as long as it has not
}

// newSocket makes what the app holds: events and requests over a session, and the session
// over one connection after the other.
export function newSocket(o: Settings): Socket<any> {
  const volatileLimit = 64 << 10; // bytes that may wait in the WebSocket
  const reportBytes = 32 << 10; // received, after which the server is told the count
  const reportTime = 5_000; // or after that time
  const { setup, sessionKey, buffer, requestTimeout = 10_000 } = o;
  const handlers = newHandlers(o.env);
  const { _tell: tell, _on: on, _change: change } = handlers;
  const env: Env = { ...o.env, setTimeout: (f, ms) => o.env.setTimeout(() => change(f), ms) };
  const calls: Record<string, (data: any) => any> = { __proto__: null as any };
  const linger = newTimer(env);
  const age = newTimer(env);
  const reporting = newTimer(env);
  let session: Session | null = null;
  let old: Session | null = null; // that a hand-over leaves behind, until it has settled
  let max: number; // bytes of a message that the server takes
  let waiting: Message[] = []; // for a connection: bounded by number, bytes and age
  let sent: Message[] = []; // that were not counted, or not answered
  let ids = 0; // of requests
  let unreported = 0; // bytes received

  const closedError = () => new ClosedError("closed", { why: socket.state.why });

  // ---- out

  const message = (event: string, data: Data, age = Infinity): Message => {
    return { data, _size: size(data), _event: event, _until: env.now() + age };
  };

  const frame = (fields: object) => message("", JSON.stringify(fields));

  const bytes = (messages: Message[]) => messages.reduce((sum, e) => sum + e._size, 0);

  const tooBig = (e: Message) => e._size > max;

  const dropped = (e: Message, why: Dropped["why"]) => {
    if (e._settle) e._settle(why === "closed" ? closedError() : new LostError(why, { ran: "no" }));
    else if (e._event) tell("sdropped", { event: e._event, why });
  };

  const uncounted = (e: Message) => e._session!._token && e._n! > e._session!._got;

  const tidy = () => (sent = sent.filter((e) => e._settle || uncounted(e)));

  // flowing tells that messages need not wait.
  const flowing = () => session?._ws && session._ready && bytes(sent.filter(uncounted)) < buffer.bytes && !connection._doubt();

  // send sends a message now, or after the session was resumed.
  const send = (s: Session, e: Message) => {
    e._session = s;
    e._n = ++s._sent;
    if (s._token || e._settle) sent.push(e);
    connection._transmit(s._ws, e.data);
  };

  const drop = (why: Dropped["why"], which: (e: Message) => boolean) => {
    const out = waiting.filter(which);
    waiting = waiting.filter((e) => !which(e));
    for (const e of out) dropped(e, why);
  };

  const expire = () => {
    const now = env.now();
    drop("old", (e) => e._until <= now);
    age(waiting.reduce((first, e) => Math.min(first, e._until), Infinity) - now, expire);
  };

  const flush = () => {
    expire();
    while (waiting[0] && flowing()) {
      const e = waiting.shift()!;
      if (tooBig(e)) dropped(e, "too big");
      else send(session!, e);
    }
  };

  // post sends a message, or has it wait. first: before all that waits. It says why not.
  const post = (e: Message, first?: boolean, volatile?: boolean): Dropped["why"] | void => {
    const ws = session?._ws;
    if (socket.state.name === "closed") return "closed";
    if (tooBig(e)) return "too big";
    if (first ? ws : flowing() && (volatile ? ws!.bufferedAmount < volatileLimit : !waiting[0])) send(session!, e);
    else if (volatile) return "volatile";
    else {
      expire();
      if (waiting.length >= buffer.messages || bytes(waiting) + e._size > buffer.bytes) return "full";
      waiting.push(e);
      expire();
    }
  };

  const offer = (...how: Parameters<typeof post>): boolean => {
    const why = post(...how);
    if (why) dropped(how[0], why);
    return !why;
  };

  // ask sends a message with the last id, which is answered.
  const ask = (e: Message, { timeout = requestTimeout, retry, signal }: Ask, first?: boolean): Message => {
    const timer = newTimer(env);
    e._id = ids;
    e._retry = retry;
    e._promise = new Promise((resolve, reject) => {
      let stop = () => {};
      e._settle = (error, value) => {
        e._settle = undefined;
        e._event = "";
        timer();
        stop();
        waiting = waiting.filter((other) => other !== e);
        tidy();
        if (error === undefined) resolve(value);
        else reject(error);
      };
      timer(timeout, () => e._settle!(new TimeoutError("timeout", { sent: !!e._session })));
      stop = onAbort(signal, e._settle);
    });
    if (e._settle) offer(e, first);
    return e;
  };

  // askFrame asks by a frame of the protocol.
  const askFrame = (fields: object, a: Ask, first?: boolean) => ask(frame({ ...fields, id: ++ids }), a, first);

  // verbs are what the app sends by; first: before all that waits.
  const verbs = (first?: boolean) => ({
    emit: (event: string, data: unknown, { bytes, age = buffer.age, volatile }: Send = {}) =>
      offer(message(event, encode({ type: "event", event }, data, bytes), age), first, volatile),
    request(event: string, data: unknown, a: Ask = {}): Promise<any> {
      const key = a.key || (a.retry ? env.key() : undefined);
      return ask(message(event, encode({ type: "event", event, id: ++ids, key }, data, a.bytes)), a, first)._promise!;
    },
  });

  // ---- in

  const rooms = newRooms({
    ...handlers,
    // The answer of a session that was left meanwhile says nothing of the present one.
    async _ask(frame) {
      const e = askFrame(frame, { retry: true });
      const answer = await e._promise;
      return e._session === session ? answer : this._ask(frame);
    },
    _say: (fields) => offer(frame(fields)),
  });

  // answer replies to a request of the server, in the session that it came in.
  const answer = async (s: Session, m: any) => {
    const { id, event } = m;
    let reply;
    try {
      const f = calls[event];
      if (!f) throw "unknown event";
      reply = message("", encode({ type: "ack", id }, await f(argsOf(m)[0])));
    } catch (e: any) {
      reply = frame({ type: "error", id, event, message: String(e?.message || e) });
    }
    send(s, reply);
  };

  const replied = (m: any) => {
    const e = sent.find((e) => e._id === m.id);
    e?._settle?.(m.type === "error" ? new RequestError(m.message, { event: e._event, errors: m.errors }) : undefined, argsOf(m)[0]);
  };

  const report = () => {
    unreported = 0;
    reporting();
    if (session!._token) connection._transmit(session!._ws, JSON.stringify({ type: "got", n: session!._received }));
  };

  // count counts a message of the server.
  const count = (s: Session, bytes: number) => {
    s._received++;
    if (!unreported) reporting(reportTime, report);
    unreported += bytes;
    if (unreported >= reportBytes) report();
  };

  // got: the server has counted.
  const got = (s: Session, n: number) => {
    s._got = n;
    tidy();
  };

  const received = (ws: WebSocketLike, m: any, data: string | ArrayBuffer) => {
    const late = session!._ws !== ws;
    const s = late ? old! : session!;
    const type = m?.type;
    const take = rooms._frames[type];
    if (type === "got") got(s, m.n);
    else if (!/^(hello|p[io]ng|goaway)$/.test(type)) {
      count(s, size(data));
      if (type === "event") {
        if (m.id !== undefined) answer(s, m);
        else rooms._event(m, late);
      } else if (type === "ack" || type === "error") replied(m);
      else if (!take) tell("smessage", data);
      else if (!late) take(m); // the new session knows better
    }
    flush();
    retire();
  };

  // ---- the session

  const opened = (ws: WebSocketLike, hello: any) => {
    const before = session;
    const able = (what: string) => hello.can?.includes(what);
    max = hello.max;
    if (hello.resumed && before) {
      before._ws = ws;
      before._token = hello.session;
      before._sent = Math.max(before._sent, hello.got); // after a reload of the page
      got(before, hello.got);
      for (const e of sent.filter(uncounted)) connection._transmit(ws, e.data);
      return flush();
    }
    const s = (session = newSession(ws, hello.id ?? null, able("resume") ? hello.session : null));
    if (before) replace(before);
    const positions = rooms._lost(able("history"));
    if (rooms._syncing()) send(s, frame({ type: "sync", was: before?._id, rooms: positions }));
    prepare(s);
    retire();
  };

  // replace leaves a session behind: one with a connection goes on until it has settled.
  const replace = (before: Session) => {
    if (before._ws) {
      old = before;
      linger(o.connectTimeout, leave);
    } else {
      end(before);
      tell("sgap", { room: null, from: null, to: null, why: "session" });
    }
  };

  const prepare = (s: Session) => {
    const ready = () => {
      s._ready = true;
      if (session !== s) return;
      flush();
      rooms._rejoin();
    };
    if (!setup) return ready();
    (async () => setup({ id: s._id, ...verbs(true) } as First))().then(
      () => change(ready),
      (e) => change(() => {
        if (session !== s) return;
        tell("serror", e);
        s._token = null;
        connection._cut(1000, "setup failed");
      }),
    );
  };

  const gone = (ws: WebSocketLike) => {
    if (ws !== session?._ws) return forget();
    session._ws = null;
    unreported = 0;
    reporting();
    if (!session._token) end(session);
  };

  // retire says good-bye to the old session when nothing more is awaited from it.
  const retire = () => {
    if (!rooms._syncing() && !sent.some((e) => e._session === old)) leave();
  };

  const leave = () => {
    part(old?._ws);
    forget();
  };

  const forget = () => {
    linger();
    if (old) end(old);
    old = null;
  };

  // end settles what was sent in a session, or has it sent again.
  const end = (s: Session) => {
    const again: Message[] = [];
    const all = sent;
    sent = sent.filter((e) => e._session !== s);
    for (const e of all) {
      if (e._session !== s) continue;
      if (!e._settle) dropped(e, "closed");
      else if (!e._retry) e._settle(new LostError("lost", { ran: e._n! > s._got ? "unknown" : "yes" }));
      else {
        e._session = undefined;
        again.push(e);
      }
    }
    s._ws = s._token = null;
    waiting = again.concat(waiting);
  };

  const closed = () => {
    unreported = 0;
    reporting();
    for (const e of sent) e._settle?.(closedError());
    drop("closed", () => true);
    expire();
    leave();
    sent = [];
    session = null;
    rooms._leave();
  };

  // ---- over a reload of the page

  const save = () => {
    if (!session?._token || !sessionKey) return;
    try {
      env.window.sessionStorage.setItem(sessionKey, JSON.stringify([session._id, session._token, session._received, ids, rooms._positions()]));
    } catch {} // the user forbids it
  };

  // What is kept is taken: a copy of the tab must not take the session from this one.
  const load = () => {
    if (session || !sessionKey) return;
    try {
      const { sessionStorage } = env.window;
      const [id, token, received, last, positions] = JSON.parse(sessionStorage.getItem(sessionKey));
      sessionStorage.removeItem(sessionKey);
      session = { ...newSession(null, id, token), _received: received, _ready: true };
      ids = last;
      rooms._restore(positions);
    } catch {} // there is nothing
  };

  const socket: any = {
    state: { name: "idle" },
    rtt: null,
    get id() {
      return session && session._id;
    },
    get buffered() {
      return { messages: waiting.length, bytes: bytes(waiting) };
    },
    open() {
      load();
      connection._open();
      return socket;
    },
    ready: ({ signal }: { signal?: AbortSignal } = {}) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const { name } = socket.state;
          if (name === "open") resolve(socket);
          else if (name === "closed") reject(closedError());
          else return;
          off();
          stop();
        };
        const off = socket.watch("state", look);
        const stop = onAbort(signal, (reason) => {
          off();
          reject(reason);
        });
        look();
      }),
    on: (event: string, f: any, o: any) => on("e" + event, f, o),
    watch: (kind: keyof Signals, f: any, o: any) => on("s" + kind, f, o),
    handle(event: string, f: any) {
      calls[event] = f;
      return () => calls[event] === f && delete calls[event];
    },
    ...verbs(),
    send: (data: any) => offer(message("", data, buffer.age)),
    room: rooms._room,
    [(Symbol as any).dispose || Symbol()]: () => void socket.close(),
  };
  const connection = newConnection(
    { ...o, env },
    {
      ...handlers,
      _opened: opened,
      _received: received,
      _gone: gone,
      _leaving: save,
      _closed: closed,
      _offer() {
        leave(); // if that of the last hand-over has not settled
        // In a hand-over the old session goes on, and another server waits.
        return session?._token && !session._ws ? [`resume.${session._token}.${session._received}`] : [];
      },
      _refresh: ({ bearer: token, ticket }) => askFrame({ type: "auth", token, ticket }, {}, true)._promise!,
    },
    socket,
  );
  socket.close = connection._close;
  if (!o.lazy) queueMicrotask(() => socket.state.name === "idle" && socket.open());
  return socket;
}

const newSession = (ws: WebSocketLike | null, id: string | null, token: string | null): Session => {
  return { _ws: ws, _id: id, _token: token, _received: 0, _sent: 0, _got: 0 };
};
