// Has a page play for a minute over a network that is made up, without waiting, and prints
// how smooth what it shows is: { delay, loss } in milliseconds and of 1.
import { Game } from "./game.js";
import { step, unit } from "./step.js";

const tickTime = 1000 / 30, frameTime = 1000 / 60, warm = 5_000, end = 65_000;
const { delay, loss } = JSON.parse(process.argv[2]);
let seed = 7;
const random = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
const pick = () => Math.trunc(random() * 178 - 89);

// way carries messages in order, as TCP does: what is lost holds up what is behind it.
function way() {
  let last = 0;
  const under = [];
  return {
    send(at, what) {
      last = Math.max(last, at + delay + random() * 3 + (random() < loss ? 200 + random() * 100 : 0));
      under.push({ at: last, what });
    },
    arrived: (now) => (under[0]?.at <= now ? under.shift() : null),
  };
}

// Server does what the one in Go does, but for collisions.
const up = way(), down = way(), ships = [], sticks = [], queue = [];
let tick = 0, ack = 0, held = { tick: 0 };
for (let i = 0; i < 8; i++) {
  ships.push({ x: (200 + 150 * i) * unit, y: 150 * unit, vx: 0, vy: 0, dash: 0 });
  sticks.push({ x: 0, y: 0, dash: false });
}

function serve(now) {
  tick++;
  for (let m; (m = up.arrived(now)); ) {
    const b = new DataView(m.what), t = b.getUint32(0, true);
    if (t <= ack || t > tick + 60) continue;
    ack = t;
    queue.push({ tick: t, x: b.getInt8(4), y: b.getInt8(5), dash: b.getUint8(6) === 1 });
  }
  held = { ...held, dash: false };
  while (queue[0]?.tick <= tick) {
    const next = queue.shift();
    held = { ...next, dash: held.dash || next.dash };
  }
  sticks[0] = tick - held.tick > 15 ? { x: 0, y: 0, dash: false } : held;
  for (let i = 1; i < 8; i++) sticks[i] = { ...(random() < 0.05 ? { x: pick(), y: pick() } : sticks[i]), dash: random() < 1 / 90 };
  ships.forEach((s, i) => step(s, sticks[i]));
  down.send(now, snapshot());
}

function snapshot() {
  const b = new DataView(new ArrayBuffer(9 + 17 * 8));
  b.setUint32(0, tick, true);
  b.setUint8(7, 8);
  ships.forEach((s, i) => {
    const at = 9 + 17 * i;
    b.setUint8(at, i);
    b.setUint16(at + 1, s.x, true);
    b.setUint16(at + 3, s.y, true);
    b.setInt16(at + 5, s.vx, true);
    b.setInt16(at + 7, s.vy, true);
    b.setUint8(at + 9, s.dash);
    b.setUint32(at + 13, i ? 0 : ack, true);
  });
  return b.buffer;
}

// The page, which notes by how many pixels ships are shown off from where their speed would
// have brought them since the frame before.
const game = new Game(), off = [], own = [], was = new Map();
let input = { x: 0, y: 0, dash: false }, stood = 0, moved = 0;
game.seat = 0;

function show(now) {
  for (let m; (m = down.arrived(now)); ) game.receive(m.what, m.at);
  if (random() < 0.03) input = { x: pick(), y: pick(), dash: random() < 0.1 };
  const scene = game.frame(now, () => input, (data) => up.send(now, data));
  for (const s of scene?.ships || []) {
    const last = was.get(s.seat), k = (frameTime / 1000) * (30 / 32) / 2;
    was.set(s.seat, s);
    if (now < warm || !last) continue;
    const x = s.x - last.x, y = s.y - last.y, vx = (s.vx + last.vx) * k, vy = (s.vy + last.vy) * k;
    (s.own ? own : off).push(Math.hypot(x - vx, y - vy));
    if (s.own || Math.hypot(vx, vy) < 1) continue;
    moved++;
    if (Math.hypot(x, y) < 0.2 * Math.hypot(vx, vy)) stood++;
  }
  if (now < warm) game.pilot.corrections = { count: 0, snaps: 0, largest: 0 };
}

let nextTick = tickTime, nextFrame = 1;
while (nextFrame < end) {
  if (nextTick < nextFrame) {
    serve(nextTick);
    nextTick += tickTime;
  } else {
    show(nextFrame);
    nextFrame += frameTime;
  }
}
const at = (list, part) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))];
console.log(JSON.stringify({
  others99: at(off, 0.99), othersMost: at(off, 1), own99: at(own, 0.99), ownMost: at(own, 1), stood: stood / moved,
  corrections: game.pilot.corrections.count, snaps: game.pilot.corrections.snaps, largest: game.pilot.corrections.largest, acked: tick - ack,
}));
