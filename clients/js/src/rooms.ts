import type { Gap, Position, Room } from "../types/index";
import { RequestError } from "./errors";
import type { Handlers } from "./handlers";
import { argsOf } from "./wire";

// Server is what rooms need of their socket.
export interface Server extends Handlers {
  _ask(frame: object): Promise<any>; // again if the session was lost
  _say(frame: object): void;
}

// RoomState is the client's view of a room: the server decides who is in it.
//
// Within one connection messages of a room come in order, and a number that is left out
// was not for us. So what may be missing is only what was sent between two connections:
// from hello to "synced", live messages are held back, and replayed ones go first.
export interface RoomState extends Room<any> {
  joined: boolean;
  position: Position | null;
  _asked?: boolean; // joined because we asked: after a new session we have to ask again
  _held?: Held | null; // null: no replay is under way that we have asked for
  _late?: boolean; // meanwhile what an old connection says counts
  _left(): void;
  _server: Server; // for presence
}

// Held is what waits for the answer to a position of ours, and says where it begins.
type Held = any[] & {
  position?: Position; // undefined: the server has not let us in since
  _unasked?: boolean; // the server replays by itself: that is not the answer
};

function newRoom(name: string, server: Server): RoomState {
  const reset = (p: Position) => {
    r.position = p;
    r._held = [];
  };
  const r: RoomState = {
    name,
    joined: false,
    position: null,
    async join({ since = r.position! } = {}) {
      if (since) reset(since);
      const answer = await server._ask({ type: "join", room: name, since: since || undefined });
      r._asked = r.joined = true;
      return { recovered: true, ...answer };
    },
    async leave() {
      r._asked = false;
      await server._ask({ type: "leave", room: name });
      r._left();
    },
    on: (event: any, f: any, o: any) => server._on("r" + name + "\0" + event, f, o),
    since(p) {
      reset(p);
      server._say({ type: "sync", rooms: { [name]: p } });
    },
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
  _event(m: any, late?: boolean): void;
  _frames: Record<string, (m: any) => void>; // what takes those of each type
  _syncing(): boolean;
  _leave(): void; // closed
  _positions(): Record<string, Position>;
  _restore(positions: Record<string, Position>): void;
}

export function newRooms(server: Server): Rooms {
  const mostHeld = 1024; // live messages of a room while its replay is under way
  const mostMids = 1024; // emits to several rooms that are remembered
  const rooms: RoomState[] = [];
  const mids = new Set<unknown>();

  const room = (name: string) => {
    let r = rooms.find((r) => r.name === name);
    if (!r) rooms.push((r = newRoom(name, server)));
    return r;
  };

  const jump = (r: RoomState, to: Position | null, why: Gap["why"]) => {
    server._tell("sgap", { room: r.name, from: r.position, to, why });
    r.position = to;
    r._held = null;
  };

  const repeated = (mid: unknown) => {
    const { size } = mids;
    if (mids.add(mid).size === size) return true;
    if (size >= mostMids) mids.delete(mids.values().next().value);
  };

  const event: Rooms["_event"] = (m, late) => {
    const { event, timestamp: at, room: name, offset, bytes, replayed, mid } = m;
    const r = offset !== undefined && room(name);
    if (late && r && !(r._held && r._late)) return;
    if (r && r.position) {
      const [epoch, last] = r.position;
      const to = [epoch, offset] as const;
      if (r._held && !late && (!replayed || r._held._unasked)) {
        if (r._held.push(m) > mostHeld) jump(r, to, "overflow");
        return;
      }
      if (offset <= last) return;
      r.position = to;
    }
    if (mid && repeated(mid)) return;
    const args = argsOf(m);
    const meta = { at, room: name, offset, replayed: !!replayed, args, bytes };
    server._tell("e" + event, args[0], meta);
    server._tell("r" + name + "\0" + event, args[0], meta);
  };

  const positions = (of: (r: RoomState) => unknown) => Object.fromEntries(rooms.filter(of).map((r) => [r.name, r.position!]));

  return {
    _room: room,
    _lost(history) {
      for (const r of rooms) {
        r.joined = false;
        if (r.position && !history) jump(r, null, "epoch");
        r._late = !r._held; // an old connection has caught up, and the new one has not
        if (r.position && !r._asked) r._held = [];
      }
      return positions((r) => r._held && !r._asked);
    },
    _rejoin() {
      for (const r of rooms) {
        if (!r._asked) continue;
        r._asked = false; // until the answer
        r.join().catch((e) => (e instanceof RequestError ? r._left() : (r._asked = true)));
      }
    },
    _event: event,
    _frames: {
      __proto__: null as any, // the types are what the server says
      joined({ room: name, epoch, offset, replayed }) {
        const r = room(name);
        r.joined = true;
        if (epoch) Object.assign(r._held || r, { position: [epoch, offset], _unasked: replayed });
      },
      left: (m) => room(m.room)._left(),
      // A replay has ended, or there is none.
      synced({ room: name, epoch, offset, recovered }) {
        const r = room(name);
        const held: Held = r._held || [];
        const from = r.position;
        if (!from || held._unasked) return (held._unasked = false);
        if (!recovered) jump(r, held.position || (epoch ? [epoch, offset] : null), epoch === from[0] ? "expired" : "epoch");
        else if (offset > from[1]) r.position = [epoch, offset];
        r._held = null;
        for (const m of held) event(m);
      },
      presence: (m) => server._tell("p" + m.room, m),
    },
    _syncing: () => rooms.some((r) => r._held),
    _leave() {
      for (const r of rooms) r.joined = false;
    },
    _positions: () => positions((r) => r.position),
    _restore(all) {
      for (const name in all) Object.assign(room(name), { joined: true, position: all[name] });
    },
  };
}
