import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nextrush-client";
import { FakeEnv, seeded } from "./fake";
import { Model } from "./model";

// Random schedules against a model of the server. SEED runs one of them and prints what
// happens; SEEDS runs so many, from the one in FROM on, without the test runner, which
// takes half of the time.
const { SEED: only, SEEDS: many, FROM: from = 1 } = process.env;

const unknown = async () => ({ status: 0, headers: { get: () => null } });

const legal: Record<string, string[]> = {
  idle: ["connecting", "closed"],
  connecting: ["open", "waiting", "closed"],
  open: ["open", "waiting", "closed"],
  waiting: ["waiting", "connecting", "closed"],
  closed: ["connecting"],
};

class Run {
  env: FakeEnv;
  model: Model;
  socket: any;
  random: () => number;
  name = "idle";
  last = new Map<string, [epoch: string, offset: number]>(); // what the app has had of each room
  news = new Set<string>(); // messages that it has had
  direct = new Set<number>();
  sessions = new Set<string>(); // that it knows of
  gaps = 0; // of the session
  emitted: string[] = []; // and taken
  dropped = new Set<string>();
  requests: { event: string; keyed: boolean; result?: any; error?: any }[] = [];
  handovers = 0;
  closes = 0;
  log: string[] = [];
  resume: boolean;

  constructor(seed: number) {
    const random = (this.random = seeded(seed));
    this.env = new FakeEnv(1_000_000, seeded(seed + 1));
    this.resume = random() < 0.6;
    this.model = new Model(this.env, random, {
      resume: this.resume,
      history: random() < 0.5 ? 5 : 200,
      newest: random() < 0.5 ? 3 : 0,
      parked: random() < 0.5 ? 5_000 : 120_000,
      latency: random() < 0.5 ? 50 : 1_500,
      refuse: random() < 0.5 ? 0 : 0.3,
    });
    const options = this.env.options({ lazy: random() < 0.1, buffer: { messages: 50 }, env: { fetch: unknown } });
    const make = options.WebSocket;
    const { model } = this;
    options.WebSocket = class extends make {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        model.dialled(this as any);
      }
    };
    if (random() < 0.3) options.setup = (s: any) => s.request("setup", 1).then(() => {}, () => {});
    this.socket = connect("/chat", options);
    this.watch();
  }

  private watch() {
    const s = this.socket;
    s.watch("state", ({ name }: any) => {
      assert.ok(legal[this.name].includes(name), `${this.name} became ${name}`);
      this.name = name;
      this.note("state", name);
      if (this.random() < 0.02) this.act(); // in the handler
    });
    s.watch("frame", ({ out, text }: any) => {
      this.note(out ? ">" : "<", text);
      const m = JSON.parse(text);
      const position = !out && m.type === "joined" && s.room(m.room).position;
      if (position && !this.last.has(m.room)) this.last.set(m.room, [...position] as any);
      if (m.type === "hello") this.sessions.add(m.id);
      if (!out && m.type === "left") this.last.delete(m.room);
      if (!out && m.type === "goaway") this.handovers++;
    });
    s.watch("gap", (g: any) => {
      this.note("gap", g);
      if (g.room === null) this.gaps++;
      else if (g.to) this.last.set(g.room, [...g.to] as any);
      else this.last.delete(g.room);
    });
    s.watch("dropped", (d: any) => this.dropped.add(d.event));
    s.on("news", (data: any, m: any) => this.hear(data, m));
    s.on("direct", (n: number) => {
      assert.ok(!this.direct.has(n), `direct message ${n} twice`);
      this.direct.add(n);
      if (this.random() < 0.1) this.act();
      if (this.random() < 0.1) throw new Error("boom");
    });
    s.room("r1").on("news", () => {
      if (this.random() < 0.05) throw new Error("boom");
    });
  }

  // hear checks that a message of a room is the next one for us.
  private hear([name, epoch, offset]: [string, string, number], m: any) {
    const key = epoch + ":" + offset;
    this.note("news", key);
    assert.ok(!this.news.has(key), `${key} twice`);
    this.news.add(key);
    assert.equal(m.room, name);
    const last = this.last.get(name);
    if (last) {
      assert.equal(last[0], epoch, `${key} of another epoch`);
      assert.ok(offset > last[1], `${key} after ${last[1]}`);
      this.skipped(epoch, last[1], offset);
    }
    this.last.set(name, [epoch, offset]);
    if (this.random() < 0.03) this.act();
    if (this.random() < 0.03) throw new Error("boom");
  }

  // skipped fails if a message between two offsets was for us. One that went to several
  // rooms may have come by another.
  private skipped(epoch: string, from: number, to: number) {
    for (const e of this.model.published[epoch] ?? []) {
      if (e.offset <= from || e.offset >= to || e.excluded || e.frame.mid) continue;
      assert.fail(`${epoch}:${e.offset} is missing, silently`);
    }
  }

  note(...what: any[]) {
    if (only) this.log.push(`${this.env.now} ${what.map((w) => (typeof w === "string" ? w : JSON.stringify(w))).join(" ")}`);
  }

  // act does what an app does.
  act() {
    const r = this.random();
    const s = this.socket;
    if (r < 0.45) {
      const event = "e" + (this.emitted.length + this.dropped.size);
      if (s.emit(event, 1, { volatile: this.random() < 0.1 })) this.emitted.push(event);
    } else if (r < 0.8) this.ask();
    else if (r < 0.85) s.room("r3").join().catch(() => {});
    else if (r < 0.87) s.room("r3").leave().catch(() => {});
    else if (r < 0.9) s.ready().catch(() => {});
    else if (r < 0.93) {
      this.closes++;
      this.note("close");
      this.settled.push(s.close());
    } else {
      this.note("open");
      s.open();
    }
  }

  settled: Promise<any>[] = [];

  private ask() {
    const n = this.requests.length;
    const keyed = this.random() < 0.5;
    const q: any = { event: "q" + n, keyed };
    this.requests.push(q);
    const controller = new AbortController();
    const p = this.socket.request(q.event, n, { retry: keyed, timeout: this.random() < 0.2 ? 500 : undefined, signal: controller.signal });
    this.settled.push(p.then((v: any) => (q.result = v), (e: any) => (q.error = e)));
    if (this.random() < 0.1) controller.abort(new Error("enough"));
  }

  // befall does what the world does.
  private async befall() {
    const r = this.random();
    const { model, env } = this;
    if (r < 0.3) return model.publish([["r1"], ["r2"], ["r3"], ["r1", "r2"]][Math.floor(this.random() * 4)], this.random() < 0.2);
    if (r < 0.45) return model.tell();
    if (r < 0.55) return model.count();
    if (r < 0.65) return model.ping();
    this.note("befalls", r);
    if (r < 0.72) return model.cut();
    if (r < 0.75) return model.stall();
    if (r < 0.77) return model.restart(this.random() < 0.5);
    if (r < 0.8) return model.goaway();
    if (r < 0.82) return model.close([1000, 1011, 1012, 1013][Math.floor(this.random() * 4)]);
    if (r < 0.84) return void (model.up = !model.up);
    if (r < 0.86) return env.sleep(this.random() * 100_000);
    if (r < 0.87) model.setClock((this.random() - 0.5) * 60_000); // somebody sets the clock
    else if (r < 0.9) {
      env.page.tell("freeze");
      await env.sleep(this.random() * 60_000);
      env.page.tell("resume");
    } else {
      env.page.document.hidden = this.random() < 0.5;
      env.page.tell("visibilitychange");
      env.page.tell(["online", "offline", "focus", "pageshow"][Math.floor(this.random() * 4)]);
    }
  }

  async run() {
    const steps = 20 + Math.floor(this.random() * 80);
    for (let i = 0; i < steps; i++) {
      if (this.random() < 0.5) this.act();
      else await this.befall();
      await this.env.advance(this.random() < 0.9 ? this.random() * 1_000 : this.random() * 40_000);
      const { live } = this.env;
      assert.ok(live <= (this.handovers ? 2 : 1), `${live} sockets`);
    }
    await this.heal();
    this.check();
    await this.bury();
  }

  // heal brings a world in which all has to end well.
  private async heal() {
    const { model, env } = this;
    this.note("heal");
    model.up = true;
    model.config.refuse = 0;
    env.page.document.hidden = false;
    env.page.navigator.onLine = true;
    this.act = () => {};
    for (let i = 0; i < 20; i++) {
      await env.advance(10_000);
      if (this.name === "idle" || this.name === "closed") this.socket.open();
      model.ping();
      model.count();
      await env.advance(0);
    }
    assert.equal(this.name, "open");
    assert.ok(env.live === 1, `${env.live} sockets`);
    await Promise.race([Promise.all(this.settled), env.advance(15_000).then(() => assert.fail("something has not settled"))]);
  }

  private check() {
    const { model, socket } = this;
    for (const e of this.env.page.reported) assert.equal(String(e), "Error: boom");
    for (const name of ["r1", "r2"]) {
      const r = model.rooms.get(name)!;
      const [epoch, offset] = socket.room(name).position;
      assert.equal(epoch, r.epoch);
      for (const e of model.published[epoch] ?? []) assert.ok(e.offset <= offset || e.excluded || e.frame.room !== name, `${epoch}:${e.offset} has not come`);
      this.skipped(r.epoch, this.last.get(name)![1], Infinity);
    }
    const emits = model.emits.map((e) => Number(e.slice(1)));
    // In a hand-over what is sent first may come last.
    for (let i = 1; i < emits.length && !this.handovers; i++) assert.ok(emits[i] > emits[i - 1], `e${emits[i]} after e${emits[i - 1]}`);
    const arrived = new Set(model.emits);
    assert.equal(arrived.size, emits.length, "an event came twice");
    if (this.resume && !this.closes && !this.handovers) {
      for (const e of this.emitted) assert.ok(arrived.has(e) || this.dropped.has(e), `${e} was lost, silently`);
    }
    for (const s of model.sessions) {
      if (this.gaps || this.closes || this.handovers || !this.sessions.has(s.id)) continue;
      for (const n of s.directs) assert.ok(this.direct.has(n), `direct message ${n} was lost, and no gap`);
    }
    this.requests.forEach((q, n) => this.judge(q, n, model.ran.get(q.event) ?? 0));
    assert.equal(socket.buffered.messages, 0);
  }

  private judge({ event, keyed, result, error }: any, n: number, ran: number) {
    if (!keyed) assert.ok(ran <= 1, `${event} ran ${ran} times`);
    if (result !== undefined) assert.equal(result, n * 2);
    else if (error.name === "RequestError") assert.equal(n % 5, 0);
    else if (error.ran === "no" || error.sent === false) assert.equal(ran, keyed ? ran : 0, `${event} ran`);
    else if (error.ran === "yes") assert.ok(ran > 0, `${event} did not run`);
    else assert.match(String(error), /TimeoutError|LostError|ClosedError|enough/);
  }

  private async bury() {
    const { env, socket } = this;
    const closed = socket.close();
    await env.advance(1_000);
    await closed;
    assert.equal(env.timers.size, 0, "timers after close");
    assert.equal(env.page.listeners.length, 0, "listeners after close");
    await env.advance(60_000);
    assert.equal(env.live, 0);
    assert.equal(env.timers.size, 0, "timers after close");
  }
}

async function play(seed: number) {
  const run = new Run(seed);
  try {
    await run.run();
  } catch (e: any) {
    if (only) console.log(run.log.join("\n"));
    throw new Error(`SEED=${seed}: ${e.message}`, { cause: e });
  }
}

async function playAll(first: number, seeds: number) {
  const failed: string[] = [];
  for (let seed = first; seed < first + seeds && failed.length < 10; seed++) {
    await play(seed).catch((e) => failed.push(e.message.split("\n")[0]));
  }
  assert.deepEqual(failed, []);
}

if (only) await play(Number(only));
else if (many) await playAll(Number(from), Number(many));
else test("random schedules", () => playAll(1, 1_000));
