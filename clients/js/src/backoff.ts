import type { End } from "../types/index";

export interface Backoff {
  base: number;
  cap: number;
  first: number;
}

export const between = (random: number, min: number, max: number): number => min + random * (max - min);

// backoff is how long to wait before the next try, after failed others since the last
// good connection. good: what ended was one. spread is the window that the server
// announced; slow: the page is hidden. Jitter comes after the cap, or all clients would
// wait exactly as long once they have reached it.
export function backoff(random: number, { base, cap, first }: Backoff, end: End, failed: number, good: boolean, spread: number, slow: boolean): number {
  const told = windowIn(end.reason);
  if (told) return between(random, ...told);
  const after = end.retryAfter;
  const window = Math.max(first, spread);
  if (after !== undefined) return between(random, after, after + Math.max(window, after));
  const factor = end.code === 1013 ? 4 : 1; // try again later
  if (good) return random * window * factor;
  return Math.max(50, random * Math.min(slow ? 4 * cap : cap, base * factor * 2 ** failed));
}

// windowIn is the window at the end of a close reason, "… retry=0-8000".
export function windowIn(reason: string): [min: number, max: number] | null {
  const m = /\bretry=(\d{1,9})-(\d{1,9})$/.exec(reason);
  return m && [+m[1], Math.max(+m[1], +m[2])];
}

// isFinal tells for which codes a new try would end in the same way. 44xx stand for
// the HTTP statuses 4xx, as an upgrade may have been refused with.
export function isFinal(code: number): boolean {
  return /^(100[23789]|1010|44(?!01|08|25|29)..)$/.test(String(code));
}

// retryAfter reads that header (RFC 9110 section 10.2.3), in milliseconds from now.
export function retryAfter(header: string | null, now: number): number | undefined {
  const hour = 3_600_000; // the longest that a header may make a client wait
  const ms = /^\d+$/.test(header!) ? +header! * 1000 : Date.parse(header!) - now;
  return ms >= 0 ? Math.min(ms, hour) : undefined;
}
