import type { Room } from "./index.js";

/** Who is in a room, by user. Attach it once to a room; it stays as long as the room's socket. */
export function presence<T = unknown>(room: Room<any>): Presence<T>;

export interface Presence<T> {
  /** By user, with the number of the user's sockets. Empty while the server sends the count alone. */
  readonly members: ReadonlyMap<string, { data: T; sockets: number }>;
  /** The number of users. */
  readonly count: number;
  /** Tells the others about this socket's user; said again after each new session. */
  set(data: T): void;
  /** sync: the members came whole, not as a difference. */
  watch(f: (change: { joined: string[]; left: string[]; sync: boolean }) => void): () => void;
}
