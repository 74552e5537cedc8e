// What surrounds a client, faked: time that stands until it is told to move, a page, and
// WebSockets whose server is the test.

// settle lets promises run.
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

export class FakePage {
  document = { hidden: false };
  navigator = { onLine: true };
  location = { origin: "https://a.example" };
  stored = new Map<string, string>();
  sessionStorage = {
    getItem: (k: string) => this.stored.get(k) ?? null,
    setItem: (k: string, v: string) => void this.stored.set(k, v),
    removeItem: (k: string) => void this.stored.delete(k),
  };
  reported: unknown[] = [];
  reportError = (e: unknown) => void this.reported.push(e);
  listeners: [type: string, f: (e: any) => void][] = [];
  addEventListener(type: string, f: (e: any) => void) {
    this.listeners.push([type, f]);
  }
  removeEventListener(type: string, f: (e: any) => void) {
    this.listeners = this.listeners.filter(([t, g]) => t !== type || g !== f);
  }
  tell(type: string, more = {}) {
    for (const [t, f] of [...this.listeners]) if (t === type) f({ type, ...more });
  }
}

export class FakeEnv {
  time: number;
  timers = new Map<number, { at: number; f: () => void }>(); // of the client
  world = new Map<number, { at: number; f: () => void }>(); // of everything else
  page = new FakePage();
  sockets: FakeSocket[] = [];
  fetches: { url: string; init: any; answer(status: number, headers?: Record<string, string>): void; fail(e?: unknown): void }[] = [];
  private ids = 0;

  constructor(readonly start = 1_000_000, public random: () => number = () => 0.5) {
    this.time = start;
  }

  // options are what a client needs to live here.
  options(more: any = {}): any {
    const env = this;
    return {
      url: "https://a.example",
      WebSocket: class extends FakeSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols);
          env.sockets.push(this);
        }
      },
      ...more,
      env: {
        now: () => env.time,
        setTimeout: (f: () => void, ms: number) => {
          env.timers.set(++env.ids, { at: env.time + Math.max(0, ms), f });
          return env.ids;
        },
        clearTimeout: (id: number) => env.timers.delete(id),
        random: () => env.random(),
        fetch: null, // none
        window: env.page,
        ...more.env,
      },
    };
  }

  fetch = (url: string, init: any) =>
    new Promise<any>((resolve, reject) => {
      const headers = (h: Record<string, string>) => ({ get: (name: string) => h[name.toLowerCase()] ?? null });
      const answer = (status: number, h: Record<string, string> = {}) => resolve({ status, headers: headers(h) });
      this.fetches.push({ url, init, answer, fail: (e = new TypeError("network")) => reject(e) });
    });

  get now() {
    return this.time - this.start;
  }

  // advance moves the time, and runs what is due on the way.
  async advance(ms: number) {
    const until = this.time + ms;
    await settle();
    for (;;) {
      const id = this.due(until);
      if (id === 0) break;
      const { at, f } = (this.timers.get(id) || this.world.get(id))!;
      this.timers.delete(id);
      this.world.delete(id);
      this.time = Math.max(this.time, at);
      f();
      await settle();
    }
    this.time = until;
    await settle();
  }

  // later does what is not the client's.
  later(ms: number, f: () => void) {
    this.world.set(++this.ids, { at: this.time + ms, f });
  }

  // due is the next timer until then.
  private due(until: number): number {
    let first = 0;
    let when = Infinity;
    for (const map of [this.timers, this.world]) {
      for (const [id, { at }] of map) {
        if (at > until || at > when || (at === when && id > first)) continue;
        first = id;
        when = at;
      }
    }
    return first;
  }

  // set moves the clock alone: timers do not go by it.
  set(by: number) {
    this.time += by;
    for (const map of [this.timers, this.world]) for (const t of map.values()) t.at += by;
  }

  // sleep moves the time while nothing runs, as a machine that sleeps does.
  async sleep(ms: number) {
    this.time += ms;
    await this.advance(0);
  }

  // last is the newest WebSocket.
  get last(): FakeSocket {
    return this.sockets[this.sockets.length - 1];
  }

  // live counts the WebSockets that are connecting or open.
  get live() {
    return this.sockets.filter((s) => s.readyState < 2).length;
  }
}

export class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  protocol = "";
  binaryType = "";
  onopen: any;
  onmessage: any;
  onerror: any;
  onclose: any;
  sent: any[] = []; // by the client, not looked at yet
  closed: { code?: number; reason?: string } | null = null; // by the client
  onsent: ((data: any) => void) | null = null;
  onclosed: ((code?: number) => void) | null = null;

  constructor(readonly url: string, readonly protocols: string[]) {}

  send(data: any) {
    if (this.readyState === 0) throw new Error("InvalidStateError");
    if (this.onsent) this.onsent(data);
    else this.sent.push(data);
  }

  close(code?: number, reason?: string) {
    if (this.readyState >= 2) return;
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) throw new Error("InvalidAccessError");
    this.readyState = 2;
    this.closed = { code, reason };
    if (this.onclosed) this.onclosed(code);
  }

  // ---- the server's side

  open(protocol = "nextrush.v1") {
    this.readyState = 1;
    this.protocol = protocol;
    this.onopen?.({});
  }

  say(frame: any) {
    if (this.readyState !== 1) return;
    const data = typeof frame === "string" || frame instanceof ArrayBuffer ? frame : JSON.stringify(frame);
    this.onmessage?.({ data });
  }

  hello(more: any = {}) {
    this.open();
    this.say({ type: "hello", id: "s1", session: "t1", resumed: false, got: 0, beat: 30_000, spread: 2_000, max: 1_048_576, can: [], ...more });
  }

  end(code = 1006, reason = "") {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason, wasClean: code !== 1006 });
  }

  frames(): any[] {
    return this.sent.splice(0).map((d) => (typeof d === "string" ? JSON.parse(d) : d));
  }
}

// seeded is a generator of numbers from 0 to below 1 (splitmix32).
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x9e3779b9) | 0;
    let t = seed ^ (seed >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return ((t ^ (t >>> 15)) >>> 0) / 4294967296;
  };
}
