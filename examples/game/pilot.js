// A Pilot steers one's own ship without waiting for the server: it takes the steps that
// the server will take, and corrects itself when the server has taken others.
import { step } from "./step.js";
import { tickTime } from "./timeline.js";

const fade = 120; // ms in which most of a correction is shown
const snap = 160 * 32; // a correction that is larger is shown at once: the ship was moved
const roundTrips = 45; // from whose median the lead is taken

export class Pilot {
  corrections = { count: 0, snaps: 0, largest: 0 }; // pixels
  #past = []; // { tick, at, input, ship }: the last steps
  #tick = 0;
  #lead = 4; // ticks by which we are ahead of what arrives
  #trips = [];
  #error = { x: 0, y: 0 }; // what is shown less where the ship is
  #drawn = 0;
  #before; // the ship before its last step

  // advance takes the steps that are due. input says what the player does, send sends it.
  advance(now, timeline, input, send) {
    const due = timeline.tickAt(now) + this.#lead;
    if (Math.abs(due - this.#tick) > 20) { // the page had slept
      this.#tick = Math.floor(due) - 1;
      this.#past = [];
    }
    while (this.#tick + 1 <= due) {
      const tick = ++this.#tick, what = input();
      send(tick, what);
      if (!this.ship) continue;
      this.#past.push({ tick, at: now, input: what });
      this.#step(this.#past.at(-1));
      if (this.#past.length > 90) this.#past.shift();
    }
    return due - this.#tick;
  }

  #step(entry) {
    this.#before = { ...this.ship };
    step(this.ship, entry.input);
    entry.ship = { ...this.ship };
  }

  // reconcile compares with what the server says of our ship in a tick, and goes on from
  // there.
  reconcile(tick, server, now) {
    const acked = this.#past.find((e) => e.tick === server.ack);
    if (acked) this.#measure(now - acked.at);
    const entry = this.#past.find((e) => e.tick === tick);
    if (entry && ["x", "y", "vx", "vy", "dash"].every((k) => entry.ship[k] === server[k])) return;
    const { x, y, vx, vy, dash } = server, was = this.ship;
    this.ship = { x, y, vx, vy, dash };
    this.#before = this.ship;
    for (const e of this.#past) if (e.tick > tick) this.#step(e);
    if (was) this.#correct(was.x - this.ship.x, was.y - this.ship.y);
  }

  #correct(x, y) {
    const size = Math.hypot(x, y);
    if (size > 2 * 32) this.corrections.count++;
    this.corrections.largest = Math.max(this.corrections.largest, size / 32);
    if (size > snap) {
      this.corrections.snaps++;
      this.#error = { x: 0, y: 0 };
      return;
    }
    this.#error.x += x;
    this.#error.y += y;
  }

  // measure keeps us as far ahead as a round trip takes, and a tick more, so that what we
  // send is there in time.
  #measure(ms) {
    this.#trips.push(ms);
    if (this.#trips.length > roundTrips) this.#trips.shift();
    const median = this.#trips.toSorted((a, b) => a - b)[this.#trips.length >> 1];
    const wanted = median / tickTime + 1;
    const most = this.#trips.length < roundTrips ? 0.5 : 0.05;
    this.#lead += Math.min(most, Math.max(-most, wanted - this.#lead));
  }

  // shown is where to draw the ship, part of a tick after the last step.
  shown(part, now) {
    const left = Math.exp(-(now - this.#drawn) / fade);
    this.#drawn = now;
    this.#error.x *= left;
    this.#error.y *= left;
    const { x, y, vx, vy, dash } = this.ship, last = this.#before;
    return { x: last.x + (x - last.x) * part + this.#error.x, y: last.y + (y - last.y) * part + this.#error.y, vx, vy, dash };
  }
}
