import type { Ask, Env } from "../types/index";
import { onAbort } from "./abort";
import { LostError, RequestError, TimeoutError } from "./errors";
import { newTimer } from "./env";
import type { Entry } from "./queue";

// Pending is a request that waits for its reply.
export interface Pending {
  _entry: Entry;
  _promise: Promise<any>;
  _retry?: boolean;
  _over?: boolean;
  _session?: unknown; // that it was sent in
  _ran: "no" | "yes" | "unknown";
  _reply(m: any): void;
  _fail(reason: unknown): void;
}

// Requests are those without a reply. Each settles: with its reply, after its time, or
// when it is lost.
export interface Requests {
  _ids: number;
  // forget takes an entry back that need not be sent any more.
  _begin(event: string, o: Ask, timeout: number, make: (id: number) => Entry, forget: (e: Entry) => void): Pending;
  _reply(m: any): void;
  _some(session: unknown): boolean; // whether any was sent in a session
  _lost(session: unknown): Entry[]; // settles those; returns what is to be sent again
  _fail(error: Error): void;
}

export function newRequests(env: Env): Requests {
  const pending = new Map<number, Pending>();
  const of = (session: unknown) => [...pending.values()].filter((p) => p._session === session);

  return {
    _ids: 0,
    _begin(event, { retry, signal }, timeout, make, forget) {
      const id = ++this._ids;
      const timer = newTimer(env);
      const p = { _entry: make(id), _retry: retry, _ran: "no" } as Pending;
      p._entry._request = p;
      p._promise = new Promise((resolve, reject) => {
        const settle = (f: (v: any) => void, value: unknown) => {
          p._over = true;
          pending.delete(id);
          timer();
          stop();
          forget(p._entry);
          f(value);
        };
        p._fail = (reason) => settle(reject, reason);
        p._reply = (m) => {
          if (m.type === "ack") settle(resolve, [].concat(m.data)[0]);
          else p._fail(new RequestError({ event, errors: m.errors }, String(m.message)));
        };
        pending.set(id, p);
        timer(timeout, () => p._fail(new TimeoutError({ sent: !!p._session })));
        let stop = () => {};
        stop = onAbort(signal, p._fail);
      });
      return p;
    },
    _reply(m) {
      const p = pending.get(+m.id);
      if (p) p._reply(m);
    },
    _some: (session) => !!of(session).length,
    _lost: (session) =>
      of(session).flatMap((p) => {
        p._session = null;
        if (p._retry) return p._entry;
        p._fail(new LostError({ ran: p._ran }));
        return [];
      }),
    _fail: (error) => pending.forEach((p) => p._fail(error)),
  };
}
