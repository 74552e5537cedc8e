import type { Dropped, Env } from "../types/index";
import { newTimer } from "./env";
import type { Pending } from "./requests";

// Entry is a message on its way out.
export interface Entry {
  data: string | ArrayBuffer | ArrayBufferView;
  _size: number; // bytes
  _event: string; // empty: nobody is told that it was dropped
  _until: number; // when it is too old to be sent
  _request?: Pending;
}

export interface Limits {
  messages: number;
  bytes: number;
  age: number;
}

// Queue holds what waits for a connection: bounded by number, bytes and age.
export interface Queue {
  _size(): { messages: number; bytes: number };
  _push(e: Entry): boolean;
  _putBack(entries: Entry[]): void; // what had been taken before, and so is within no limit
  _shift(): Entry | undefined;
  _remove(e: Entry): boolean;
  _clear(why: Dropped["why"]): void;
}

export function newQueue(env: Env, limits: Limits, dropped: (e: Entry, why: Dropped["why"]) => void): Queue {
  let entries: Entry[] = [];
  const age = newTimer(env);

  const size = () => ({ messages: entries.length, bytes: entries.reduce((sum, e) => sum + e._size, 0) });

  const clear = (why: Dropped["why"], which: (e: Entry) => boolean) => {
    const out = entries.filter(which);
    entries = entries.filter((e) => !which(e));
    for (const e of out) dropped(e, why);
    const next = Math.min(...entries.map((e) => e._until));
    age();
    if (next < Infinity) age(next - env.now(), expire);
  };

  const expire = () => {
    const now = env.now();
    clear("old", (e) => e._until <= now);
  };

  return {
    _size: size,
    _push(e) {
      expire();
      const { messages, bytes } = size();
      if (messages >= limits.messages || bytes + e._size > limits.bytes) return false;
      entries.push(e);
      expire();
      return true;
    },
    _putBack(before) {
      entries = before.concat(entries);
    },
    _shift() {
      expire();
      return entries.shift();
    },
    _remove(e) {
      const { length } = entries;
      entries = entries.filter((other) => other !== e);
      return entries.length < length;
    },
    _clear: (why) => clear(why, () => true),
  };
}
