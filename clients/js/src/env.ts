import type { Env } from "../types/index";

// surroundings are those of the program, but for what part has. Globals are read when
// a socket is made, never when the module is loaded: servers that render pages load it.
export function surroundings(part?: Partial<Env>): Env {
  const g: any = globalThis;
  const page = g.document; // Node.js has a navigator too, which does not know much
  return {
    now: Date.now,
    setTimeout: (f, ms) => setTimeout(f, ms),
    clearTimeout: (timer: any) => clearTimeout(timer),
    random: Math.random,
    key: () => (g.crypto ? g.crypto.getRandomValues(new Uint32Array(4)) : [1, 2].map(Math.random)).join("-"),
    fetch: g.fetch && ((url, init) => g.fetch(url, init)),
    target: page && g,
    hidden: () => !!page && page.hidden,
    online: () => !page || navigator.onLine,
    storage: () => g.sessionStorage,
    origin: page && location.origin,
    report: (e) => (g.reportError || console.error)(e),
    ...part,
  };
}

// The longest wait that setTimeout takes; a longer one would end at once.

// Timer waits for one thing at a time. Without arguments it stops to wait.
export type Timer = (ms?: number, f?: () => void) => void;

export function newTimer(env: Env): Timer {
  const longest = 2 ** 31 - 1;
  let timer: unknown;
  return (ms, f) => {
    env.clearTimeout(timer);
    timer = f && env.setTimeout(f, Math.min(ms!, longest));
  };
}
