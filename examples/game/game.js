// A Game is what a page knows of its match, and what of it is to be shown at a time.
import { decodeSnapshot, encodeInput } from "./frame.js";
import { radius, unit } from "./step.js";
import { Pilot } from "./pilot.js";
import { Timeline } from "./timeline.js";

const silence = 500; // ms without a snapshot, after which we send nothing
const mostOver = 6; // ticks by which others are moved on when nothing comes
const fade = 100; // ms in which most of what that got wrong is shown

export class Game {
  seat = -1; // -1: we watch
  names = new Map(); // by seat
  timeline = new Timeline();
  pilot = new Pilot();
  #heard = 0;
  #others = new Map(); // by seat: { x, y, dx, dy, over }, in which dx and dy are an error that fades
  #taken = new Map(); // gems that we have touched, and when
  #drawn = 0;

  receive(buffer, now) {
    const snapshot = decodeSnapshot(buffer), { newest } = this.timeline;
    if (newest && snapshot.tick <= newest.tick) return; // sent again after a loss
    this.timeline.add(snapshot, now);
    this.#heard = now;
    const own = snapshot.players.get(this.seat);
    if (own) this.pilot.reconcile(snapshot.tick, own, now);
  }

  // frame goes on to a time, and returns what is to be drawn: null, as long as there is
  // nothing. Positions are in pixels of the world.
  frame(now, input, send) {
    if (!this.timeline.newest) return null;
    const live = now - this.#heard < silence;
    const part = live ? this.pilot.advance(now, this.timeline, input, (tick, what) => this.seat >= 0 && send(encodeInput(tick, what))) : 1;
    const at = this.timeline.sample(now), ships = [];
    for (const [seat, b] of at.b.players) {
      const own = seat === this.seat && this.pilot.ship;
      const place = own ? this.pilot.shown(part, now) : this.#other(seat, at, now);
      const { x, y, vx, vy, dash } = place;
      ships.push({ seat, own: !!own, name: this.names.get(seat) || "", x: x / unit, y: y / unit, vx, vy, dash, away: b.away, hurt: b.hurt });
    }
    for (const seat of this.#others.keys()) if (!at.b.players.has(seat)) this.#others.delete(seat);
    this.#drawn = now;
    return { ships, gems: this.#gems(at.a.gems, ships.find(({ own }) => own), now), newest: this.timeline.newest };
  }

  // #other is where somebody else is shown: between two snapshots, or further on from the
  // last one; after that, back to where it should be by and by.
  #other(seat, { a, b, part, over }, now) {
    const to = b.players.get(seat), from = a.players.get(seat) || to;
    const on = Math.min(over, mostOver);
    const x = from.x + (to.x - from.x) * part + to.vx * on, y = from.y + (to.y - from.y) * part + to.vy * on;
    const was = this.#others.get(seat) || { x, y, dx: 0, dy: 0, over: 0 };
    const passed = now - this.#drawn, left = Math.exp(-passed / fade);
    let dx = was.dx * left, dy = was.dy * left;
    if (was.over > 0) {
      dx = was.x - x + (to.vx * passed * 30) / 1000;
      dy = was.y - y + (to.vy * passed * 30) / 1000;
      if (over > 0 || Math.hypot(dx, dy) > 8 * radius) dx = dy = 0;
    }
    const shown = { x: x + dx, y: y + dy, dx, dy, over, vx: to.vx, vy: to.vy, dash: to.dash };
    this.#others.set(seat, shown);
    return shown;
  }

  // #gems leaves out those that we have touched, which the server takes away a little later.
  #gems(gems, own, now) {
    for (const [gem, at] of this.#taken) if (now - at > 1000) this.#taken.delete(gem);
    return gems.map((gem) => ({ gem, ...centre(gem) })).filter(({ gem, x, y }) => {
      if (own && !own.hurt && Math.hypot(x - own.x, y - own.y) < radius / unit + 10) this.#taken.set(gem, now);
      return !this.#taken.has(gem);
    });
  }
}

const centre = (gem) => ({ x: (gem % 200) * 8 + 4, y: Math.floor(gem / 200) * 8 + 4 });
