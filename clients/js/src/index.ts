import type { Client, Options, Socket } from "../types/index";
import { fill, settings } from "./settings";
import { newSocket } from "./socket";

export { ClosedError, LostError, RequestError, TimeoutError } from "./errors";

export const connect = (path: string, ...rest: any[]): Socket<any> => client().connect(path, ...rest);

export function client(options: Options = {}): Client<any> {
  return {
    connect(path: string, ...rest: any[]): Socket<any> {
      const [params, own] = path.includes("{") || rest.length > 1 ? rest : [{}, ...rest];
      return newSocket(settings(fill(path, params), { ...options, ...own }));
    },
  };
}
