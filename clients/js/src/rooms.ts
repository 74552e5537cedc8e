import type { Gap, Position, Room } from "../types/index";
import { RequestError } from "./errors";
import type { Handlers } from "./handlers";

// Server is what rooms need of their socket.
export interface Server {
  _ask(frame: object): Promise<any>; // again if the session was lost
  _tell(frame: object): void;
  _handlers: Handlers;
}

// RoomState is the client's view of a room: the server decides who is in it.
//
// Within one connection messages of a room come in order, and a number that is left out
// was not for us. So what may be missing is only what was sent between two connections:
// from hello to "synced", live messages are held back, and replayed ones go first.
export interface RoomState extends Room<any> {
  joined: boolean;
  position: Position | null;
  _asked: boolean; // joined because we asked: after a new session we have to ask again
  _held: any[] | null; // null: no replay is under way
  _late: boolean; // meanwhile what an old connection says counts
  _left(): void;
  _server: Server; // for presence
}

function newRoom(name: string, server: Server): RoomState {
  const reset = (p: Position) => {
    r.position = p;
    r._held = [];
  };
  const r: RoomState = {
    name,
    joined: false,
    position: null,
    async join({ since } = {}) {
      since = since || r.position || undefined;
      if (since) reset(since);
      const answer = await server._ask({ type: "join", room: name, since });
      r._asked = r.joined = true;
      return { recovered: true, ...answer };
    },
    async leave() {
      r._asked = false;
      await server._ask({ type: "leave", room: name });
      r._left();
    },
    on: (event: any, f: any, o: any) => server._handlers._on("r" + name + "\0" + event, f, o),
    since(p) {
      reset(p);
      server._tell({ type: "sync", rooms: { [name]: p } });
    },
    _asked: false,
    _held: null,
    _late: false,
    _server: server,
    _left() {
      r._asked = r.joined = false;
      r.position = r._held = null;
    },
  };
  return r;
}

export interface Rooms {
  _room(name: string): RoomState;
  // begins a new session: the server has forgotten which rooms we were in. Returns the
  // positions to ask from.
  _lost(history: boolean): Record<string, Position>;
  // asks for the rooms that we had asked for before. A refusal is for good.
  _rejoin(): void;
  // takes an event; late tells that it came over a connection that is being replaced.
  _event(m: any, late: boolean): void;
  _frames: Record<string, (m: any) => void>; // what takes those of each type
  _syncing(): boolean;
  _leave(): void; // closed
  _positions(): Record<string, Position>;
  _restore(positions: Record<string, Position>): void;
}

export function newRooms(server: Server, deliver: (m: any) => void, gap: (g: Gap) => void): Rooms {
  const mostHeld = 1024; // live messages of a room while its replay is under way
  const mostMids = 1024; // emits to several rooms that are remembered
  const rooms = new Map<string, RoomState>();
  const mids = new Set<unknown>();

  const room = (name: string) => {
    const r = rooms.get(name) || newRoom(name, server);
    rooms.set(name, r);
    return r;
  };

  const jump = (r: RoomState, to: Position | null, why: Gap["why"]) => {
    gap({ room: r.name, from: r.position, to, why });
    r.position = to;
    r._held = null;
  };

  const repeated = (mid: unknown) => {
    const { size } = mids;
    if (mids.add(mid).size === size) return true;
    if (size >= mostMids) mids.delete(mids.values().next().value);
    return false;
  };

  const event = (m: any, late: boolean) => {
    const r = m.offset !== undefined && room(m.room);
    if (late && r && !(r._held && r._late)) return;
    if (r && r.position) {
      const [epoch, last] = r.position;
      if (r._held && !late && !m.replayed) {
        if (r._held.push(m) > mostHeld) jump(r, [epoch, m.offset], "overflow");
        return;
      }
      if (m.offset <= last) return;
      r.position = [epoch, m.offset];
    }
    if (m.mid === undefined || !repeated(m.mid)) deliver(m);
  };

  const positions = (of = (r: RoomState): unknown => r.position): Record<string, Position> =>
    Object.fromEntries([...rooms.values()].filter(of).map((r) => [r.name, r.position!]));

  return {
    _room: room,
    _lost(history) {
      for (const r of rooms.values()) {
        r.joined = false;
        if (r.position && !history) jump(r, null, "epoch");
        r._late = !r._held; // an old connection has caught up, and the new one has not
        if (r.position && !r._asked) r._held = [];
      }
      return positions((r) => r._held && !r._asked);
    },
    _rejoin() {
      for (const r of rooms.values()) {
        if (!r._asked) continue;
        r._asked = false; // until the answer
        r.join().catch((e) => (e instanceof RequestError ? r._left() : (r._asked = true)));
      }
    },
    _event: event,
    _frames: {
      __proto__: null as any, // the types are what the server says
      joined({ room: name, epoch, offset }) {
        const r = room(name);
        r.joined = true;
        if (epoch && !r._held) r.position = [epoch, offset];
      },
      left: (m) => room(m.room)._left(),
      // A replay has ended, or there is none.
      synced({ room: name, recovered, epoch, offset }) {
        const r = room(name);
        const held = r._held;
        const from = r.position;
        if (!from) return;
        if (!recovered) jump(r, epoch ? [epoch, offset] : null, epoch === from[0] ? "expired" : "epoch");
        else if (offset > from[1]) r.position = [epoch, offset];
        r._held = null;
        for (const m of held || []) event(m, false);
      },
      presence: (m) => server._handlers._tell("p" + m.room, m),
    },
    _syncing: () => [...rooms.values()].some((r) => r._held),
    _leave: () => rooms.forEach((r) => (r.joined = false)),
    _positions: () => positions(),
    _restore(all) {
      for (const name in all) Object.assign(room(name), { joined: true, position: all[name] });
    },
  };
}
