import type { End } from "../types/index";
import { windowIn } from "./end";

export interface Backoff {
  base: number;
  cap: number;
  first: number;
}

export const between = (random: number, min: number, max: number): number => min + random * (max - min);

// backoff is how long to wait before the next try, after failed others since the last
// good connection. good: what ended was one. spread is the window that the server
// announced. Those that tried while it was down share it with those that have waited since
// the loss, so theirs is half as long again. slow: the page is hidden. Jitter comes after the cap, or all clients would
// wait exactly as long once they have reached it.
export function backoff(random: number, { base, cap, first }: Backoff, end: End, failed: number, good: boolean, spread: number, slow: boolean): number {
  const window = Math.max(first, spread);
  const after = end.retryAfter!;
  const told = windowIn(end.reason) || (after >= 0 && ([after, after + Math.max(window, after)] as const));
  const factor = end.code === 1013 ? 4 : 1; // try again later
  if (told) return between(random, ...told);
  if (good) return random * window * factor;
  return Math.max(50, random * Math.max(1.5 * spread, Math.min(slow ? 4 * cap : cap, base * factor * 2 ** failed)));
}
