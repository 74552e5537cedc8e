import type { Env, WebSocketLike } from "../types/index";
import { newTimer } from "./env";
import type { Entry } from "./queue";

// Session is what the server knows this client by. With resume agreed, so that there is
// a token, it outlives its WebSocket: both sides count the messages of each other, and
// keep their own until counted. No message carries its number: both count from the same.
export interface Session {
  _ws: WebSocketLike | null;
  _id: string | null;
  _token: string | null;
  _ready: boolean; // set up, so that what waits may leave
  _over: boolean;
  _received: number;
  _kept: Entry[]; // sent and not counted
  _full(): boolean; // the server has to count before more may leave
  _send(e: Entry): void; // now, or after the session was resumed
  _got(n: number): void; // the server has counted
  _resume(ws: WebSocketLike, token: string, got: number): void;
  _count(bytes: number): void; // a message has come
  _pause(): void; // the WebSocket is gone
  _end(): void;
}

export function newSession(
  env: Env,
  limit: number,
  transmit: (ws: WebSocketLike | null, data: Entry["data"]) => void,
  ws: WebSocketLike | null,
  id: string | null,
  token: string | null,
): Session {
  const reportBytes = 32 << 10; // received, after which the server is told the count
  const reportTime = 5_000; // or after that time
  const timer = newTimer(env);
  let counted = 0; // of ours, by the server
  let unreported = 0; // bytes

  const report = () => {
    unreported = 0;
    timer();
    transmit(s._ws, JSON.stringify({ type: "got", n: s._received }));
  };

  const s: Session = {
    _ws: ws,
    _id: id,
    _token: token,
    _ready: false,
    _over: false,
    _received: 0,
    _kept: [],
    _full: () => s._kept.reduce((sum, e) => sum + e._size, 0) >= limit,
    _send(e) {
      const p = e._request;
      if (s._token) s._kept.push(e);
      if (p) {
        p._session = s;
        p._ran = "unknown";
      }
      transmit(s._ws, e.data);
    },
    _got(n) {
      for (const { _request: p } of s._kept.splice(0, n - counted)) if (p) p._ran = "yes";
      counted = n;
    },
    _resume(ws, token, got) {
      s._ws = ws;
      s._token = token;
      s._got(got);
      for (const e of s._kept) transmit(ws, e.data);
    },
    _count(bytes) {
      s._received++;
      if (!s._token) return;
      if (!unreported) timer(reportTime, report);
      unreported += bytes;
      if (unreported >= reportBytes) report();
    },
    _pause() {
      s._ws = null;
      unreported = 0;
      timer();
    },
    _end() {
      s._pause();
      s._over = true;
      s._token = null;
    },
  };
  return s;
}
