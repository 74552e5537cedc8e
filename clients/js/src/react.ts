import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Socket, State } from "../types/index";

const release = 1_000; // ms; StrictMode unmounts and mounts again at once

const nothing = () => () => {};
const idle: State = { name: "idle" };

// stand is what there is before the first effect, and on a server: an idle socket.
const stand: any = {
  state: idle,
  id: null,
  rtt: null,
  buffered: { messages: 0, bytes: 0 },
  open: () => stand,
  close: () => Promise.resolve(),
  ready: () => new Promise(() => {}),
  on: nothing,
  emit: () => false,
  request: () => Promise.reject(new Error("nextrush-client: not mounted yet")),
  handle: nothing,
  send: () => false,
  room: (name: string) => ({
    name,
    joined: false,
    position: null,
    join: () => stand.request(),
    leave: () => stand.request(),
    on: nothing,
    since() {},
  }),
  watch: nothing,
};

export function useSocket(make: () => Socket<any>, deps: readonly unknown[]): Socket<any> {
  const [socket, show] = useState(stand);
  const kept = useRef<{ socket: Socket<any>; deps: readonly unknown[]; timer?: any } | null>(null);
  useEffect(() => {
    let k = kept.current;
    if (k && same(k.deps, deps)) clearTimeout(k.timer);
    else {
      if (k) k.socket.close();
      k = kept.current = { socket: make(), deps };
      show(k.socket);
    }
    const mine = k;
    return () => {
      mine.timer = setTimeout(() => {
        mine.socket.close();
        if (kept.current === mine) kept.current = null;
      }, release);
    };
  }, deps as unknown[]);
  return socket;
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((v, i) => Object.is(v, b[i]));
}

export function useSocketState(socket: Socket<any>): State {
  return useSyncExternalStore(
    (changed) => socket.watch("state", changed),
    () => socket.state,
    () => idle,
  );
}

export function useEvent(socket: Socket<any>, event: string, f: (data: any) => void): void {
  const last = useRef(f);
  useEffect(() => {
    last.current = f;
  });
  useEffect(() => socket.on(event, (data: any) => last.current(data)), [socket, event]);
}
