import type { ClosedError as Closed, LostError as Lost, RequestError as Request, TimeoutError as Timeout } from "../types/index";

// kind makes a class of errors. Its name is set on each: that of a minified class says
// nothing.
function kind<T>(name: string, text: string): new (fields: Omit<T, "name" | "message">, text?: string) => T {
  return class extends Error {
    constructor(fields: object, message = text) {
      super(message);
      Object.assign(this, { name }, fields);
    }
  } as any;
}

export const RequestError = kind<Request>("RequestError", "");
export const TimeoutError = kind<Timeout>("TimeoutError", "no reply in time");
export const LostError = kind<Lost>("LostError", "connection lost");
export const ClosedError = kind<Closed>("ClosedError", "closed");
