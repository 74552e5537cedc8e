import type { ClosedError as Closed, LostError as Lost, RequestError as Request, TimeoutError as Timeout } from "../types/index";

// kind makes a class of errors. Its name is set on each: that of a minified class says
// nothing.
function kind<T>(name: string): new (text: string, fields: Omit<T, "name" | "message">) => T {
  return class extends Error {
    constructor(text: string, fields: object) {
      super(text);
      Object.assign(this, { name }, fields);
    }
  } as any;
}

export const RequestError = kind<Request>("RequestError");
export const TimeoutError = kind<Timeout>("TimeoutError");
export const LostError = kind<Lost>("LostError");
export const ClosedError = kind<Closed>("ClosedError");
