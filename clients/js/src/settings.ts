import type { Env, Options } from "../types/index";
import type { Backoff } from "./backoff";
import { surroundings } from "./env";

// Settings are Options with the defaults that more than one part uses.
export interface Settings extends Options {
  url: string; // ws: or wss:, without the query
  backoff: Backoff;
  buffer: { messages: number; bytes: number; age: number };
  connectTimeout: number;
  env: Env;
}

export function settings(path: string, o: Options): Settings {
  const env = surroundings(o.env);
  return {
    connectTimeout: 10_000,
    ...o,
    backoff: { base: 1_000, cap: 30_000, first: 1_000, ...o.backoff },
    buffer: { messages: 256, bytes: 262_144, age: 30_000, ...o.buffer },
    url: address(path, o.url || env.window.location?.origin),
    env,
  };
}

function address(path: string, base?: string): string {
  if (!/^\w/.test(path)) {
    if (!base) throw Error("set the option url");
    path = base.replace(/\/$/, "") + path;
  }
  return new URL(path.replace(/^http/, "ws")).href;
}

// fill puts parameters into a path: "/chat/{room}" with { room: "a b" } is "/chat/a%20b".
export function fill(path: string, params: Record<string, string | number> = {}): string {
  return path.replace(/{(\w+)}/g, (_, name) => {
    if (name in params) return encodeURIComponent(params[name]);
    throw Error("set the parameter " + name);
  });
}
