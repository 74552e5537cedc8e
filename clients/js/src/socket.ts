import type { Ask, Dropped, Send, Session as First, Signals, Socket, WebSocketLike } from "../types/index";
import { credentialOf, part } from "./attempt";
import { newConnection } from "./connection";
import { ClosedError, LostError } from "./errors";
import { newTimer } from "./env";
import { newHandlers } from "./handlers";
import { newQueue, type Entry } from "./queue";
import { newRequests, type Pending } from "./requests";
import { newRooms } from "./rooms";
import { newSession, type Session } from "./session";
import type { Settings } from "./settings";
import { onAbort } from "./abort";
import { argsOf, encode, size } from "./wire";

// newSocket makes what the app holds: events and requests over a session, and the session
// over one connection after the other.
export function newSocket(o: Settings): Socket<any> {
  const volatileLimit = 64 << 10; // bytes that may wait in the WebSocket
  const { env, plain, setup } = o;
  const handlers = newHandlers(env);
  const calls = new Map<string, (data: any) => any>();
  const requests = newRequests(env);
  const linger = newTimer(env);
  let session: Session | null = null;
  let old: Session | null = null; // that a hand-over leaves behind, until it has settled
  let max = Infinity; // bytes of a message that the server takes

  const tell = <K extends keyof Signals>(kind: K, value: Signals[K]) => handlers._tell("s" + kind, value);

  const closedError = () => new ClosedError({ why: socket.state.why });

  const dropped = (e: Entry, why: Dropped["why"]): false => {
    const p = e._request;
    if (!p) tell("dropped", { event: e._event, why });
    else p._settle(0, why === "closed" ? closedError() : new LostError({ ran: "no" }, why));
    return false;
  };
  const queue = newQueue(env, o.buffer, dropped);

  // ---- out

  const entry = (event: string, data: Entry["data"] | null, age = Infinity): Entry => {
    return { data: data!, _size: data === null ? Infinity : size(data), _event: event, _until: env.now() + age };
  };

  const sendable = () => session && session._ws && session._ready && !session._full() && !connection._suspicious();

  const tooBig = (e: Entry) => e._size > max || e._size === Infinity;

  // post sends an entry, or has it wait. first: before all that waits. It says why not.
  const post = (e: Entry, first?: boolean, volatile?: boolean): Dropped["why"] | void => {
    if (socket.state.name === "closed") return "closed";
    if (tooBig(e)) return "too big";
    connection._doubt();
    if (first ? session && session._ws : sendable() && (volatile ? session!._ws!.bufferedAmount < volatileLimit : !queue._size().messages)) session!._send(e);
    else if (volatile) return "volatile";
    else if (!queue._push(e)) return "full";
  };

  const offer = (e: Entry, first?: boolean, volatile?: boolean): boolean => {
    const why = post(e, first, volatile);
    return why ? dropped(e, why) : true;
  };

  const flush = () => {
    for (let e; sendable() && (e = queue._shift()); ) {
      if (tooBig(e)) dropped(e, "too big");
      else session!._send(e);
    }
  };

  const emit = (event: string, data: unknown, { bytes, age = o.buffer.age, volatile }: Send = {}, first?: boolean): boolean => {
    return offer(entry(event, encode({ type: "event", event }, data, bytes), age), first, volatile);
  };

  // ask sends what is answered.
  const ask = (event: string, encoded: (id: number) => Entry["data"] | null, a: Ask, first?: boolean): Pending => {
    const { timeout = o.requestTimeout } = a;
    const p = requests._begin(event, a, timeout, (id) => entry("", encoded(id)), queue._remove);
    if (!p._settled) offer(p._entry, first);
    return p;
  };

  const request = (event: string, data: unknown, a: Ask = {}, first?: boolean): Promise<any> => {
    const key = a.key || (a.retry ? env.key() : undefined);
    return ask(event, (id) => encode({ type: "event", event, id, key }, data, a.bytes), a, first)._promise;
  };

  // askFrame asks by a frame of the protocol.
  const askFrame = (frame: object, a: Ask, first?: boolean) => ask("", (id) => JSON.stringify({ ...frame, id }), a, first);

  // ---- in

  const rooms = newRooms(
    {
      _handlers: handlers,
      // The answer of a session that was left meanwhile says nothing of the present one.
      async _ask(frame) {
        const p = askFrame(frame, { retry: true });
        const answer = await p._promise;
        return p._session === session ? answer : this._ask(frame);
      },
      _tell: (frame) => void post(entry("", JSON.stringify(frame))),
    },
    (m) => {
      const { event, timestamp: at, room, offset, bytes, replayed } = m;
      const args = argsOf(m);
      const meta = { at, room, offset, replayed: !!replayed, args, bytes };
      handlers._tell("e" + event, args[0], meta);
      handlers._tell("r" + room + "\0" + event, args[0], meta);
    },
    (gap) => tell("gap", gap),
  );

  // answer replies to a request of the server, in the session that it came in.
  const answer = async (s: Session, m: any) => {
    const { id, event } = m;
    let reply;
    try {
      const f = calls.get(event);
      if (!f) throw new Error("unknown event");
      reply = encode({ type: "ack", id }, await f(argsOf(m)[0]));
    } catch (e: any) {
      reply = JSON.stringify({ type: "error", id, event, message: String((e && e.message) || e) });
    }
    s._send(entry("", reply));
  };

  const received = (ws: WebSocketLike, m: any, data: string | ArrayBuffer) => {
    const current = session!._ws === ws;
    const s = current ? session! : old!;
    const type = m && m.type;
    const take = !plain && rooms._frames[type];
    if (!plain && type === "got") s._got(m.n);
    else s._count(size(data));
    if (type === "event") {
      if (m.id !== undefined) answer(s, m);
      else rooms._event(m, !current);
    } else if (type === "ack" || type === "error") requests._reply(m);
    else if (take) current && take(m); // the new session knows better
    else if (plain || type !== "got") tell("message", data);
    flush();
    retire();
  };

  // ---- the session

  const opened = (ws: WebSocketLike, { resumed, max: most, can, session: token, id = null, got }: any) => {
    const before = session;
    max = most || Infinity;
    if (resumed && before) {
      before._resume(ws, token, got);
      return flush();
    }
    const able = (what: string) => can && can.includes(what);
    const s = make(ws, id, able("resume") ? token : null);
    session = s;
    if (before) replace(before);
    const ask = rooms._lost(able("history"));
    if (rooms._syncing()) s._send(entry("", JSON.stringify({ type: "sync", was: (before && before._id) || undefined, rooms: ask })));
    prepare(s);
    retire();
  };

  const make = (ws: WebSocketLike | null, id: string, token: string | null) => newSession(env, o.buffer.bytes, connection._transmit, ws, id, token);

  // replace leaves a session behind: one with a connection goes on until it has settled.
  const replace = (before: Session) => {
    if (before._ws) {
      old = before;
      linger(o.connectTimeout, leave);
    } else {
      end(before);
      tell("gap", { room: null, from: null, to: null, why: "session" });
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
    const first = { id: s._id, emit: (e: string, d: any, o: Send) => emit(e, d, o, true), request: (e: string, d: any, a: Ask) => request(e, d, a, true) };
    (async () => setup(first as First))().then(
      () => handlers._change(ready),
      (e) => handlers._change(() => {
        if (s._over) return;
        tell("error", e);
        s._token = null;
        connection._cut(1000, "setup failed");
      }),
    );
  };

  const gone = (ws: WebSocketLike) => {
    for (const s of [session, old]) {
      if (!s || s._ws !== ws) continue;
      s._pause();
      if (s === old || !s._token) end(s);
      if (s === old) old = null;
    }
  };

  // retire says good-bye to the old session when nothing more is awaited from it.
  const retire = () => {
    if (old && !rooms._syncing() && !requests._some(old) && !old._kept.length) leave();
  };

  const leave = () => {
    linger();
    if (!old) return;
    part(old._ws);
    end(old);
    old = null;
  };

  const end = (s: Session) => {
    s._end();
    for (const e of s._kept) if (!e._request) dropped(e, "closed");
    queue._putBack(requests._lost(s));
  };

  const closed = () => {
    requests._fail(closedError());
    queue._clear("closed");
    leave();
    if (session) session._end();
    session = null;
    rooms._leave();
  };

  // ---- over a reload of the page

  const { sessionKey: key } = o;

  const save = () => {
    const s = session;
    if (!key || !s || !s._token) return;
    try {
      env.storage().setItem(key, JSON.stringify([s._id, s._token, s._received, requests._ids, rooms._positions()]));
    } catch {} // the user forbids it
  };

  // What is kept is taken: a copy of the tab must not take the session from this one.
  const load = () => {
    if (!key || session) return;
    try {
      const storage = env.storage();
      const [id, token, received, ids, positions] = JSON.parse(storage.getItem(key)!);
      storage.removeItem(key);
      session = make(null, id, token);
      session._received = received;
      session._ready = true;
      requests._ids = ids;
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
      return queue._size();
    },
    open() {
      load();
      connection._open();
      return socket;
    },
    close: (code = 1000, reason = "") => connection._close(code, reason),
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
    on: (event: string, f: any, o: any) => handlers._on("e" + event, f, o),
    watch: (kind: string, f: any, o: any) => handlers._on("s" + kind, f, o),
    handle(event: string, f: any) {
      calls.set(event, f);
      return () => calls.get(event) === f && calls.delete(event);
    },
    emit: (event: string, data: unknown, o?: Send) => emit(event, data, o),
    request: (event: string, data: unknown, a?: Ask) => request(event, data, a),
    send: (data: any) => offer(entry("", data, o.buffer.age)),
    room: rooms._room,
  };
  const connection = newConnection(o, {
    _change: handlers._change,
    _told: () => tell("state", socket.state),
    _opened: opened,
    _received: received,
    _gone: gone,
    _leaving: save,
    _alive: flush,
    _closed: closed,
    _failed: (e) => tell("error", e as Error),
    _offer() {
      leave(); // if that of the last hand-over has not settled
      // In a hand-over the old session goes on, and another server waits.
      return session && session._token && !session._ws ? [`resume.${session._token}.${session._received}`] : [];
    },
    _frame: (out, data) => tell("frame", { out, text: typeof data === "string" ? data : data.byteLength + " bytes" }),
    _refresh(c) {
      const { bearer: token, ticket } = credentialOf(c);
      return askFrame({ type: "auth", token, ticket }, {}, true)._promise;
    },
  }, socket);

  const { dispose } = Symbol as any;
  if (dispose) socket[dispose] = () => void socket.close();
  if (!o.lazy) Promise.resolve().then(() => socket.state.name === "idle" && socket.open());
  return socket;
}
