import type { Client, Options, Socket } from "../types/index";
import { fill, settings } from "./settings";
import { newSocket } from "./socket";

export { ClosedError, LostError, RequestError, TimeoutError } from "./errors";

export function connect(path: string, options: Options = {}): Socket<any> {
  return newSocket(settings(path, options));
}

export function client(options: Options = {}): Client<any> {
  return {
    connect(path: string, ...rest: any[]): Socket<any> {
      const [params, own] = path.includes("{") ? rest : [{}, ...rest];
      return connect(fill(path, params), { ...options, ...own });
    },
  };
}
