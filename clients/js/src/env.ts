import type { Env } from "../types/index";

// surroundings are those of the program, but for what part has. Globals are read when
// a socket is made, never when the module is loaded: servers that render pages load it.
export function surroundings(part?: Partial<Env>): Env {
  return {
    now: Date.now,
    setTimeout: (f, ms) => setTimeout(f, ms),
    clearTimeout: (timer: any) => clearTimeout(timer),
    random: Math.random,
    key: () => crypto.getRandomValues(new Uint32Array(4)).join("-"),
    fetch: (url, init) => fetch(url, init),
    window: globalThis,
    ...part,
  };
}

// Timer waits for one thing at a time, and for nothing if that is never. Without
// arguments it stops to wait.
export type Timer = (ms?: number, f?: () => void) => void;

export function newTimer(env: Env): Timer {
  const longest = 2 ** 31 - 1; // that setTimeout takes; a longer one would end at once
  let timer: unknown;
  return (ms, f) => {
    env.clearTimeout(timer);
    timer = ms! < Infinity && env.setTimeout(f!, Math.min(ms!, longest));
  };
}
