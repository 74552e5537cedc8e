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
  _report(e: unknown): void; // what the app has thrown
}

export function newHandlers({ window }: Env): Handlers {
  const report = (e: unknown) => (window.reportError || console.error)(e);
  const all = new Set<[name: string, f: Handler]>();
  const told: [name: string, args: unknown[]][] = [];
  let busy = false;

  const change: Handlers["_change"] = (f) => {
    if (busy) return f();
    busy = true;
    try {
      return f();
    } finally {
      for (let next; (next = told.shift()); ) {
        for (const entry of [...all]) {
          try {
            // Another may have removed it.
            if (entry[0] === next[0] && all.has(entry)) entry[1](...next[1]);
          } catch (e) {
            report(e);
          }
        }
      }
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
    _report: report,
  };
}
