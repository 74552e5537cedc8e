import assert from "node:assert/strict";
import { connect } from "nextrush-client";
import { FakeEnv, FakeSocket, settle } from "./fake";

// play runs one scenario; clients/scenarios/README.md says what the steps mean.
export async function play(scenario: any): Promise<void> {
  const p = new Player(scenario);
  for (const [i, step] of scenario.steps.entries()) {
    try {
      await p.step(step);
    } catch (e: any) {
      throw new Error(`step ${i + 1}, ${JSON.stringify(step)}: ${e.message}`, { cause: e });
    }
  }
  await p.finish();
}

const verbs = ["frame", "event", "gap", "dropped", "message", "auth", "error", "answer"] as const;

class Player {
  env: FakeEnv;
  socket: any;
  at: FakeSocket | null = null; // that server steps are about
  named = new Map<string, FakeSocket>();
  settled = new Map<string, { value?: any; error?: any }>();
  seen: Record<string, any[]> = {};
  dials = 0; // that were expected
  credentials: any[];
  asked = 0; // the t of the last ping

  constructor(readonly scenario: any) {
    const draws = [scenario.random ?? 0.5].flat();
    this.env = new FakeEnv(1_000_000, () => (draws.length > 1 ? draws.shift() : draws[0]));
    for (const verb of verbs) this.seen[verb] = [];
    const options = { ...scenario.options };
    this.credentials = options.auth ?? [];
    if (options.auth) {
      options.auth = (why: string) => {
        this.seen.auth.push(why);
        const c = this.credentials.length > 1 ? this.credentials.shift() : this.credentials[0];
        if (c && c.throws) throw new Error(c.throws);
        return c;
      };
    }
    if (options.setup) {
      const calls = options.setup;
      options.setup = async (s: any) => {
        for (const [verb, ...args] of calls) await s[verb](...args);
      };
    }
    if (scenario.http) options.env = { fetch: this.env.fetch };
    this.socket = connect(scenario.path ?? "/chat", this.env.options({ lazy: true, ...options }));
    for (const event of scenario.listen ?? []) {
      this.socket.on(event, (data: any, m: any) => this.seen.event.push([event, data, m]));
    }
    for (const [event, out] of Object.entries<any>(scenario.handle ?? {})) {
      this.socket.handle(event, () => {
        if (out && out.throws) throw new Error(out.throws);
        return out && out.hex ? unhex(out.hex) : out;
      });
    }
    for (const kind of ["gap", "dropped", "message"]) this.socket.watch(kind, (v: any) => this.seen[kind].push(v));
    this.socket.watch("error", (e: any) => this.seen.error.push(e.message));
  }

  async step(step: any) {
    const [verb] = Object.keys(step);
    const f = (this as any)["do_" + verb];
    if (!f) throw new Error("unknown step");
    await f.call(this, step[verb], step);
    await settle();
  }

  async finish() {
    for (const verb of verbs) assert.deepEqual(this.seen[verb], [], `${verb} that nobody expected`);
    this.take();
    assert.deepEqual(this.seen.frame, [], "frame that nobody expected");
    assert.equal(this.env.sockets.length, this.dials, "WebSockets that were made");
    assert.deepEqual(this.env.page.reported, []);
    const closed = this.socket.close();
    await this.env.advance(1_000);
    await closed;
    for (const [name, { pending }] of this.requests) assert.ok(!pending, `request ${name} has not settled`);
    assert.equal(this.env.timers.size, 0, "timers after close");
    assert.equal(this.env.page.listeners.length, 0, "listeners after close");
  }

  requests = new Map<string, { pending: boolean }>();

  private track(name: string, promise: Promise<any>) {
    const r = { pending: true };
    this.requests.set(name, r);
    promise.then(
      (value) => this.settled.set(name, { value }),
      (error) => this.settled.set(name, { error }),
    ).then(() => (r.pending = false));
  }

  // take moves what the client has sent to where the steps look for it.
  private take() {
    for (const s of this.env.sockets) this.seen.frame.push(...s.frames().map((f) => (f instanceof Uint8Array ? binary(f) : f)));
  }

  private next(verb: string): any {
    assert.ok(this.seen[verb].length, `no ${verb}`);
    return this.seen[verb].shift();
  }

  // ---- the app

  do_open() {
    this.socket.open();
  }
  async do_close(code: any) {
    const args = code === true ? [] : [code];
    this.track("close", this.socket.close(...args));
  }
  do_emit([event, data]: any, step: any) {
    const { volatile, age, hex } = step;
    const options: any = { volatile, age };
    if (hex) options.bytes = unhex(hex);
    assert.equal(this.socket.emit(event, data, options), step.is ?? true);
  }
  do_send(text: any, step: any) {
    assert.equal(this.socket.send(text), step.is ?? true);
  }
  do_request([event, data]: any, step: any) {
    const { timeout, retry, key, hex } = step;
    const bytes = hex && unhex(hex);
    this.track(step.as ?? event, this.socket.request(event, data, { timeout, retry, key, bytes }));
  }
  do_join(room: string, step: any) {
    this.track(step.as ?? "join", this.socket.room(room).join(step.since && { since: step.since }));
  }
  do_leave(room: string, step: any) {
    this.track(step.as ?? "leave", this.socket.room(room).leave());
  }
  do_since([room, position]: any) {
    this.socket.room(room).since(position);
  }
  do_settled(name: string, step: any) {
    const got = this.settled.get(name);
    assert.ok(got, "has not settled");
    this.settled.delete(name);
    if (step.hex) return assert.equal(Buffer.from(got.value).toString("hex"), step.hex);
    if (!step.error) return assert.deepEqual(got, { value: step.value }, String(got.error));
    assert.ok(got.error, `has the value ${JSON.stringify(got.value)}`);
    assert.equal(got.error.name, step.error);
    for (const field of ["message", "ran", "sent", "errors"]) {
      if (field in step) assert.deepEqual(got.error[field], step[field]);
    }
  }
  do_pending(name: string) {
    assert.ok(this.requests.get(name)?.pending, "has settled");
  }

  // ---- the server

  do_dial(expected: any, step: any) {
    assert.equal(this.env.sockets.length, ++this.dials, "WebSockets that were made");
    this.at = this.env.last;
    if (step.as) this.named.set(step.as, this.at);
    if (expected.offer) assert.deepEqual(this.at.protocols, expected.offer);
    if (expected.url) assert.equal(this.at.url, expected.url);
  }
  do_accept(protocol: any) {
    this.at!.open(protocol);
  }
  do_hello(more: any) {
    this.at!.hello(this.absolute(more));
  }
  do_server(frame: any, step: any) {
    const to = step.on ? this.named.get(step.on)! : this.at!;
    if (frame.t === "*") frame = { ...frame, t: this.asked };
    if (frame.type === "ack") frame = { ...frame, data: frame.data.map((d: any) => this.absolute(d)) };
    to.say(step.hex ? envelope(frame, step.hex) : frame);
  }
  do_cut([code, reason]: any, step: any) {
    (step.on ? this.named.get(step.on)! : this.at!).end(code, reason);
  }
  do_refuse() {
    this.at!.end(1006);
  }
  do_probe(answer: any) {
    const f = this.env.fetches.shift();
    assert.ok(f, "no probe");
    for (const [name, value] of Object.entries(answer.request ?? {})) assert.equal(f.init.headers[name], value);
    if (answer.status) f.answer(answer.status, answer.headers);
    else f.fail();
  }

  // absolute makes "+5000" five seconds after the scenario's start.
  private absolute(o: any) {
    return o && o.expires ? { ...o, expires: this.env.start + Number(o.expires) } : o;
  }

  // ---- time and page

  async do_advance(ms: number) {
    await this.env.advance(ms);
  }
  async do_sleep(ms: number) {
    await this.env.sleep(ms);
  }
  do_page(events: any) {
    for (const e of [events].flat()) {
      if (e === "hidden" || e === "visible") {
        this.env.page.document.hidden = e === "hidden";
        this.env.page.tell("visibilitychange");
      } else if (e === "pagehide kept") this.env.page.tell("pagehide", { persisted: true });
      else {
        if (e === "online" || e === "offline") this.env.page.navigator.onLine = e === "online";
        this.env.page.tell(e, { persisted: false });
      }
    }
  }

  // ---- what is expected

  do_frame(frame: any) {
    this.take();
    const got = this.next("frame");
    if (frame.t === "*") this.asked = got.t;
    assert.deepEqual(got, frame.t === "*" ? { ...frame, t: got.t } : frame);
  }
  do_quiet() {
    this.take();
    for (const verb of verbs) assert.deepEqual(this.seen[verb], []);
    assert.equal(this.env.sockets.length, this.dials, "WebSockets that were made");
  }
  do_state(expected: any) {
    const s = { ...this.socket.state };
    if (s.until !== undefined) s.until -= this.env.start;
    if (s.since !== undefined) s.since -= this.env.start;
    match(s, expected);
  }
  do_ended(expected: any, step: any) {
    const s = step.on ? this.named.get(step.on)! : this.at!;
    assert.ok(s.closed, "the client has not closed");
    assert.equal(s.closed.code, expected);
  }
  do_event([event, data, meta]: any) {
    const got = this.next("event");
    assert.deepEqual(got.slice(0, 2), [event, data]);
    const m = { ...got[2] };
    if (m.bytes) m.hex = Buffer.from(m.bytes).toString("hex");
    match(m, meta ?? {});
  }
  do_gap(expected: any) {
    assert.deepEqual(this.next("gap"), expected);
  }
  do_dropped(expected: any) {
    assert.deepEqual(this.next("dropped"), expected);
  }
  do_message(text: any) {
    assert.equal(this.next("message"), text);
  }
  do_auth(why: any) {
    assert.equal(this.next("auth"), why);
  }
  do_error(text: any) {
    assert.equal(this.next("error"), text);
  }
  do_room(name: string, step: any) {
    match(this.socket.room(name), step.is);
  }
  do_socket(expected: any) {
    match(this.socket, expected);
  }
}

// match looks for the fields that are expected.
function match(got: any, expected: any) {
  for (const [k, v] of Object.entries<any>(expected)) {
    if (v !== null && typeof v === "object" && !Array.isArray(v)) match(got[k], v);
    else assert.deepEqual(got[k], v, k);
  }
}

const unhex = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

// A binary event is written as its envelope with the bytes as hex.
function binary(data: Uint8Array) {
  const n = (data[0] << 8) + data[1];
  return { ...JSON.parse(new TextDecoder().decode(data.subarray(2, 2 + n))), hex: Buffer.from(data.subarray(2 + n)).toString("hex") };
}

function envelope(frame: any, hex: string): ArrayBuffer {
  const head = Buffer.from(JSON.stringify(frame));
  const all = Buffer.concat([Buffer.from([head.length >> 8, head.length & 255]), head, Buffer.from(hex, "hex")]);
  return all.buffer.slice(all.byteOffset, all.byteOffset + all.length) as ArrayBuffer;
}
