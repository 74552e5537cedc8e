import type { End } from "../types/index";

// The names are set on each object: those of minified classes say nothing.

export class RequestError extends Error {
  name = "RequestError";
  constructor(message: string, readonly event: string, readonly errors: unknown) {
    super(message);
  }
}

export class TimeoutError extends Error {
  name = "TimeoutError";
  constructor(readonly sent: boolean) {
    super("no reply in time");
  }
}

export class LostError extends Error {
  name = "LostError";
  constructor(readonly ran: "no" | "yes" | "unknown", why = "connection lost") {
    super(why);
  }
}

export class ClosedError extends Error {
  name = "ClosedError";
  constructor(readonly why: End) {
    super("closed: " + (why.reason || why.code));
  }
}
