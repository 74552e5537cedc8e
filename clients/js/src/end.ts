import type { End, WebSocketLike } from "../types/index";

export const ending = (code: number, reason: string, by: End["by"] = "us", final = false): End => ({ code, reason, by, final });

// ended is how a WebSocket ended that we did not close. An error has no code.
export const ended = ({ code = 1006, reason = "" }: { code?: number; reason?: string }): End =>
  ending(code, reason, code === 1006 ? "network" : "server", isFinal(code));

// isFinal tells for which codes a new try would end in the same way. 44xx stand for
// the HTTP statuses 4xx, as an upgrade may have been refused with.
export function isFinal(code: number): boolean {
  return /^(100[23789]|1010|44(?!01|08|25|29)..)$/.test(code as any);
}

// windowIn is the window at the end of a close reason, "… retry=0-8000".
export function windowIn(reason: string): [min: number, max: number] | null {
  const m = /\bretry=(\d{1,9})-(\d{1,9})$/.exec(reason);
  return m && [+m[1], Math.max(+m[1], +m[2])];
}

// retryAfter reads that header (RFC 9110 section 10.2.3), in milliseconds from now.
export function retryAfter(header: string | null, now: number): number | undefined {
  const hour = 3_600_000; // the longest that a header may make a client wait
  const ms = /^\d+$/.test(header!) ? +header! * 1000 : Date.parse(header!) - now;
  return ms >= 0 ? Math.min(ms, hour) : undefined;
}

// part says good-bye to a WebSocket, and hears nothing more but its end.
export function part(ws: WebSocketLike | null | undefined, code = 1000, reason?: string, gone: (() => void) | null = null): void {
  if (!ws) return;
  ws.onopen = ws.onmessage = ws.onerror = null;
  ws.onclose = gone;
  ws.close(code, reason);
}
