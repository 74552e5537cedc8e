import type { Room } from "../types/index";
import type { Presence } from "../types/presence";
import type { RoomState } from "./rooms";

type Member<T> = { data: T; sockets: number };
type Change = { joined: string[]; left: string[]; sync: boolean };

export function presence<T>(room: Room<any>): Presence<T> {
  const { name, _server: server } = room as unknown as RoomState;
  const tell = (fields: object) => server._say({ type: "presence", room: name, ...fields });
  let members = new Map<string, Member<T>>();
  let count = 0;
  let mine: T | undefined;

  // put adds what a frame says of users, and returns who is new.
  const put = (users: Record<string, Member<T>> = {}) =>
    Object.keys(users).filter((user) => {
      const known = members.has(user);
      members.set(user, users[user]);
      return !known;
    });
  const take = (m: any): Change => {
    if (!m.set && m.count === undefined) {
      const joined = put(m.join);
      return { joined, left: (m.leave || []).filter((user: string) => members.delete(user)), sync: false };
    }
    const before = members;
    members = new Map();
    const joined = put(m.set).filter((user) => !before.has(user));
    return { joined, left: [...before.keys()].filter((user) => !members.has(user)), sync: true };
  };
  server._on("p" + name, (m) => {
    if (m.set && mine !== undefined) tell({ data: mine }); // a new session knows nothing of us
    const change = take(m);
    count = m.count === undefined ? members.size : m.count;
    server._tell("w" + name, change);
  });
  tell({}); // asks for all of it, if it has come already

  return {
    get members() {
      return members;
    },
    get count() {
      return count;
    },
    set(data: T) {
      tell({ data: (mine = data) });
    },
    watch(f) {
      return server._on("w" + name, f);
    },
  };
}
