import assert from "node:assert/strict";
import type { FakeEnv, FakeSocket } from "./fake";

// Model is a server of nextrush.v1, behind a network that delays, stalls and cuts. It
// remembers all that a client could be told, so that a test can compare.

export interface Config {
  resume: boolean;
  history: number; // messages that a room keeps
  newest?: number; // of those that the server replays by itself when it lets the client in
  parked: number; // ms that a session waits for its client
  latency: number; // ms, at most
  refuse: number; // probability
}

interface Entry {
  offset: number;
  frame: any;
  excluded: boolean; // not for this client
}

class Room {
  ring: Entry[] = [];
  offset = 0;
  constructor(readonly name: string, public epoch: string) {}
}

// reaches reports whether a room keeps all that came after a position.
const reaches = ({ epoch, offset, ring }: Room, [of, from]: [string, number]) => of === epoch && from >= offset - ring.length && from <= offset;

class Session {
  conn: Conn | null = null;
  tokens: string[] = []; // the last one, and those before until the client uses it
  received = 0; // counted messages of the client
  outbox: any[] = []; // counted messages that the client has not counted
  base = 0; // of the outbox
  rooms = new Set<string>();
  directs: number[] = []; // messages to it alone
  claims: Record<string, [string, number]> = {};
  over = false;
  constructor(readonly id: string) {}
}

// Conn is one WebSocket as the server sees it.
class Conn {
  stalled = false;
  dead = false; // nothing goes either way any more
  last = [0, 0]; // when the last message arrives, each way
  constructor(private model: Model, readonly socket: FakeSocket, public session: Session) {}

  // to has f run when a message arrives: in order, unless the connection is lost before.
  to(direction: 0 | 1, f: () => void) {
    const { env, config } = this.model;
    const at = Math.max(this.last[direction], env.time + this.model.random() * config.latency);
    this.last[direction] = at;
    env.later(at - env.time, () => {
      if (!this.stalled && !this.dead) f();
    });
  }
}

export class Model {
  sessions: Session[] = [];
  conns: Conn[] = [];
  rooms = new Map<string, Room>();
  up = true;
  emits: string[] = []; // events that the client sent, in the order of arrival
  ran = new Map<string, number>(); // requests by event: how often
  direct = 0; // messages to the session alone
  published: Record<string, Entry[]> = {};
  private ids = 0;

  constructor(readonly env: FakeEnv, readonly random: () => number, readonly config: Config) {
    for (const name of ["r1", "r2", "r3"]) this.rooms.set(name, new Room(name, "e" + name));
  }

  get current(): Session | undefined {
    return this.sessions.filter((s) => !s.over).pop();
  }

  // ---- connections

  dialled(socket: FakeSocket) {
    this.env.later(this.random() * this.config.latency, () => {
      if (socket.readyState !== 0) return;
      if (!this.up || this.random() < this.config.refuse) return socket.end(1006);
      this.accept(socket);
    });
  }

  private accept(socket: FakeSocket) {
    const offer = socket.protocols.find((p) => p.startsWith("resume."));
    const [, token, n] = offer ? offer.split(".") : [];
    const known = this.sessions.find((s) => !s.over && s.tokens.includes(token));
    const s = known ?? new Session("s" + ++this.ids);
    if (!known) this.sessions.push(s);
    const conn = new Conn(this, socket, s);
    this.conns.push(conn);
    socket.onsent = (data) => conn.to(0, () => this.received(conn, JSON.parse(data)));
    socket.onclosed = (code = 1005) => {
      conn.to(0, () => {
        this.gone(conn, code === 1000);
        socket.end(code);
      });
    };
    if (s.conn) this.end(s.conn, 4409);
    s.conn = conn;
    if (this.config.resume) s.tokens.push("t" + ++this.ids);
    socket.open();
    if (known) {
      const seen = Number(n);
      assert.ok(seen >= s.base && seen <= s.base + s.outbox.length, `resume at ${seen} of ${s.base}+${s.outbox.length}`);
      s.outbox.splice(0, seen - s.base);
      s.base = seen;
    }
    const can = ["history", ...(this.config.resume ? ["resume"] : [])];
    this.raw(conn, { type: "hello", id: s.id, session: s.tokens[s.tokens.length - 1], resumed: !!known, got: s.received, beat: 30_000, spread: 2_000, max: 1 << 20, can });
    if (known) for (const frame of s.outbox) this.raw(conn, frame);
    else {
      const join = () => {
        for (const name of ["r1", "r2"]) if (!s.over) this.join(s, name, this.config.newest);
      };
      if (this.random() < 0.5) join();
      else this.env.later(this.random() * 300, join);
    }
  }

  // gone: a connection has ended; its session does, too, or waits.
  private gone(conn: Conn, final: boolean) {
    conn.dead = true;
    const s = conn.session;
    if (s.conn !== conn) return;
    s.conn = null;
    if (final || !this.config.resume) s.over = true;
    else this.env.later(this.config.parked, () => (s.over = s.over || !s.conn));
  }

  private end(conn: Conn, code: number, reason = "") {
    this.gone(conn, false);
    if (!conn.stalled) this.env.later(this.random() * this.config.latency, () => conn.socket.end(code, reason));
  }

  // ---- what goes wrong

  setClock(by: number) {
    this.env.set(by);
    for (const c of this.conns) c.last = c.last.map((t) => t + by);
  }

  cut() {
    for (const c of this.live()) {
      this.gone(c, false);
      c.socket.end(1006);
    }
  }

  // stall loses everything that goes over the present connections, without a word.
  stall() {
    for (const c of this.live()) {
      c.stalled = true;
      this.env.later(40_000, () => this.gone(c, false));
    }
  }

  restart(forget: boolean) {
    this.cut();
    for (const s of this.sessions) s.over = true;
    if (!forget) return;
    for (const r of this.rooms.values()) {
      r.epoch = "e" + ++this.ids;
      r.ring = [];
      r.offset = 0;
    }
  }

  goaway() {
    for (const c of this.live()) {
      this.raw(c, { type: "goaway", retry: true, after: [0, 3_000], reason: "restart" });
      this.env.later(6_000, () => c.dead || this.end(c, 1012, "restart retry=0-1000"));
    }
  }

  close(code: number) {
    for (const c of this.live()) this.end(c, code);
  }

  private live() {
    return this.conns.filter((c) => !c.dead && !c.stalled);
  }

  // ---- messages

  // raw sends what is not counted, or again.
  private raw(conn: Conn, frame: any) {
    conn.to(1, () => conn.socket.say(frame));
  }

  private send(s: Session, frame: any) {
    if (this.config.resume) s.outbox.push(frame);
    if (s.conn) this.raw(s.conn, frame);
    else if (s.outbox.length > 40) s.over = true;
  }

  private received(conn: Conn, m: any) {
    const s = conn.session;
    if (s.conn !== conn) return;
    s.tokens = s.tokens.slice(-1);
    if (m.type === "ping") return this.raw(conn, { type: "pong", t: m.t });
    if (m.type === "pong") return;
    if (m.type === "got") {
      assert.ok(m.n >= s.base && m.n <= s.base + s.outbox.length, `got ${m.n} of ${s.base}+${s.outbox.length}`);
      s.outbox.splice(0, m.n - s.base);
      s.base = m.n;
      return;
    }
    s.received++;
    if (m.type === "event" && m.id === undefined) this.emits.push(m.event);
    else if (m.type === "event") this.run(s, m);
    else if (m.type === "sync") {
      for (const [name, p] of Object.entries<any>(m.rooms)) {
        if (s.rooms.has(name)) this.replay(s, name, p);
        else s.claims[name] = p;
      }
    } else if (m.type === "join") {
      this.join(s, m.room);
      const recovered = m.since ? this.replay(s, m.room, m.since) : true;
      this.send(s, { type: "ack", id: m.id, data: [{ recovered }] });
    } else if (m.type === "leave") {
      s.rooms.delete(m.room);
      this.send(s, { type: "left", room: m.room });
      this.send(s, { type: "ack", id: m.id, data: [] });
    }
  }

  private run(s: Session, m: any) {
    this.ran.set(m.event, (this.ran.get(m.event) ?? 0) + 1);
    const answer = () => {
      if (s.over) return;
      if (m.data[0] % 5 === 0) this.send(s, { type: "error", id: m.id, event: m.event, message: "five" });
      else this.send(s, { type: "ack", id: m.id, data: [m.data[0] * 2] });
    };
    if (this.random() < 0.3) answer();
    else this.env.later(this.random() * 2_000, answer);
  }

  // join has the newest n events replayed, or what comes after the position that the client
  // has told; or, if that cannot be, those behind a gap.
  private join(s: Session, name: string, n = 0) {
    const r = this.rooms.get(name)!;
    if (s.rooms.has(name)) return;
    s.rooms.add(name);
    const { epoch } = r;
    const claim = s.claims[name];
    const offset = r.offset - Math.min(n, r.ring.length);
    if (n && !claim) this.send(s, { type: "joined", room: name, epoch, offset, replayed: true });
    else if (n && !reaches(r, claim)) {
      this.send(s, { type: "joined", room: name, epoch, offset });
      this.send(s, { type: "synced", room: name, recovered: false, epoch, offset });
    } else {
      this.send(s, { type: "joined", room: name, epoch, offset: r.offset });
      if (claim) this.replay(s, name, claim);
      return;
    }
    this.replay(s, name, [epoch, offset]);
  }

  private replay(s: Session, name: string, [epoch, from]: [string, number]): boolean {
    const r = this.rooms.get(name)!;
    const recovered = reaches(r, [epoch, from]);
    if (recovered) {
      for (const e of r.ring) {
        if (e.offset > from && !e.excluded) this.send(s, { ...e.frame, replayed: true });
      }
    }
    this.send(s, { type: "synced", room: name, recovered, epoch: r.epoch, offset: r.offset });
    return recovered;
  }

  publish(names: string[], excluded: boolean) {
    const mid = names.length > 1 ? "m" + ++this.ids : undefined;
    const frames = names.map((name) => {
      const r = this.rooms.get(name)!;
      const frame = { type: "event", event: "news", data: [[name, r.epoch, r.offset + 1]], timestamp: 1, room: name, offset: ++r.offset, mid };
      r.ring.push({ offset: r.offset, frame, excluded });
      (this.published[r.epoch] ??= []).push({ offset: r.offset, frame, excluded });
      if (r.ring.length > this.config.history) r.ring.shift();
      return frame;
    });
    for (const s of this.sessions) {
      for (const frame of frames) if (!s.over && s.rooms.has(frame.room) && !excluded) this.send(s, frame);
    }
  }

  // tell sends to the client alone.
  tell() {
    const s = this.current;
    if (!s) return;
    s.directs.push(++this.direct);
    this.send(s, { type: "event", event: "direct", data: [this.direct] });
  }

  count() {
    for (const c of this.live()) if (this.config.resume) this.raw(c, { type: "got", n: c.session.received });
  }

  ping() {
    for (const c of this.live()) this.raw(c, { type: "ping" });
  }
}
