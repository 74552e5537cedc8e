import type { Ask, Env } from "../types/index";
import { onAbort } from "./abort";
import { LostError, RequestError, TimeoutError } from "./errors";
import { newTimer } from "./env";
import type { Entry } from "./queue";
import { argsOf } from "./wire";

// Pending is a request that waits for its reply.
export interface Pending {
  _event: string;
  _entry: Entry;
  _promise: Promise<any>;
  _retry?: boolean;
  _settled?: boolean;
  _session?: unknown; // that it was sent in
  _ran: "no" | "yes" | "unknown";
  _settle(value: any, error?: unknown): void;
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
      const p = { _event: event, _entry: make(id), _retry: retry, _ran: "no" } as Pending;
      p._entry._request = p;
      p._promise = new Promise((resolve, reject) => {
        let stop = () => {};
        p._settle = (value, error) => {
          p._settled = true;
          pending.delete(id);
          timer();
          stop();
          forget(p._entry);
          if (error) reject(error);
          else resolve(value);
        };
        pending.set(id, p);
        timer(timeout, () => p._settle(0, new TimeoutError({ sent: !!p._session })));
        stop = onAbort(signal, (reason) => p._settle(0, reason));
      });
      return p;
    },
    _reply(m) {
      const p = pending.get(+m.id);
      if (!p) return;
      p._settle(argsOf(m)[0], m.type === "error" && new RequestError({ event: p._event, errors: m.errors }, String(m.message)));
    },
    _some: (session) => !!of(session).length,
    _lost: (session) =>
      of(session).flatMap((p) => {
        p._session = null;
        if (p._retry) return p._entry;
        p._settle(0, new LostError({ ran: p._ran }));
        return [];
      }),
    _fail: (error) => pending.forEach((p) => p._settle(0, error)),
  };
}
