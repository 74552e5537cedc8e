// A Timeline has what the server sent last, and says which tick it is there and which tick
// to show. Times are in milliseconds of performance.now.
export const tickTime = 1000 / 30;

const remembered = 4_000; // of arrivals
const outage = 1_000; // what is later than this says nothing of how messages usually come
const leastDelay = 100, mostDelay = 250; // by which others are shown late

const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

export class Timeline {
  snapshots = []; // with rising ticks
  delay = leastDelay;
  #arrivals = []; // { at, zero }, where zero is when tick 0 would have come
  #zero = null; // the same for messages that nothing holds up
  #shown = null; // tick
  #drawn = 0; // when that was

  get newest() {
    return this.snapshots.at(-1);
  }

  add(snapshot, now) {
    if (this.newest && snapshot.tick <= this.newest.tick) return;
    this.snapshots.push(snapshot);
    if (this.snapshots.length > 60) this.snapshots.shift();
    this.#arrivals.push({ at: now, zero: now - snapshot.tick * tickTime });
    while (now - this.#arrivals[0].at > remembered) this.#arrivals.shift();
    const first = Math.min(...this.#arrivals.map(({ zero }) => zero));
    const late = Math.max(...this.#arrivals.map(({ zero }) => zero - first).filter((ms) => ms < outage));
    // Clocks drift, and a server that is busy falls behind: follow, but not by leaps.
    if (this.#zero === null || Math.abs(first - this.#zero) > outage / 2) this.#zero = first;
    this.#zero += clamp(first - this.#zero, -1, 1);
    this.delay = clamp(late + 1.5 * tickTime, leastDelay, mostDelay);
  }

  // tickAt is the tick that arrives now if nothing holds it up.
  tickAt(now) {
    return (now - this.#zero) / tickTime;
  }

  // sample returns the two snapshots between which to draw, and how far it is from the first
  // to the second. What is shown moves on steadily, at most a tenth faster or slower than
  // time; if it passes the newest snapshot, over is by how many ticks.
  sample(now) {
    const wanted = this.tickAt(now) - this.delay / tickTime;
    const passed = (now - this.#drawn) / tickTime;
    this.#drawn = now;
    if (this.#shown === null || Math.abs(wanted - this.#shown - passed) > 15) this.#shown = wanted;
    else this.#shown += passed * (1 + clamp((wanted - this.#shown - passed) / 10, -0.1, 0.1));
    const { snapshots } = this;
    const next = snapshots.findIndex(({ tick }) => tick > this.#shown);
    if (next < 0) return { a: this.newest, b: this.newest, part: 0, over: this.#shown - this.newest.tick };
    const b = snapshots[next], a = snapshots[next - 1] || b;
    return { a, b, part: a === b ? 0 : (this.#shown - a.tick) / (b.tick - a.tick), over: 0 };
  }
}
