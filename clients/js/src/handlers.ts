import type { Env, Listen } from "../types/index";
import { onAbort } from "./abort";

type Handler = (...args: any[]) => void;

// Handlers are the app's functions, by name. They run after a change, when everything
// has its new value: a handler may open, close and send as if it came from outside. What
// is told while they run is told after them, so that all hear it in the same order.
export interface Handlers {
  _on(name: string, f: Handler, o?: Listen): () => void;
  _tell(name: string, ...args: unknown[]): void;
  _change<T>(f: () => T): T; // runs f, and then the handlers of what it told
}

export function newHandlers(env: Env): Handlers {
  const all = new Set<[name: string, f: Handler]>();
  const told: [name: string, args: unknown[]][] = [];
  let busy = false;

  const run = (name: string, args: unknown[]) => {
    for (const entry of [...all]) {
      if (entry[0] !== name || !all.has(entry)) continue; // removed by one before it
      try {
        entry[1](...args);
      } catch (e) {
        env.report(e);
      }
    }
  };

  const change: Handlers["_change"] = (f) => {
    if (busy) return f();
    busy = true;
    try {
      return f();
    } finally {
      for (let next; (next = told.shift()); ) run(...next);
      busy = false;
    }
  };

  return {
    _on(name, f, { signal, once } = {}) {
      const off = () => {
        all.delete(entry);
        stop();
      };
      const entry: [string, Handler] = [name, once ? (...args) => (off(), f(...args)) : f];
      all.add(entry);
      const stop = onAbort(signal, () => all.delete(entry));
      return off;
    },
    _tell: (name, ...args) => change(() => void told.push([name, args])),
    _change: change,
  };
}
