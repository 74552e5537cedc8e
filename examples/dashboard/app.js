import { connect } from "/nextrush.js";
import { bars, canvas, mirror, spark } from "./chart.js";
import { table } from "./table.js";

const span = 60; // seconds shown
const second = 10; // frames
const byId = (id) => document.getElementById(id);

// ---- numbers

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
const short = (n) => number.format(n < 10 ? Math.round(n * 10) / 10 : Math.round(n));
const whole = (n) => n.toLocaleString("en");

// scaled returns n and the largest of some units in which it is at least one.
function scaled(n, step, units) {
  let i = 0;
  for (; n >= step && i < units.length - 1; i++) n /= step;
  return [n < 10 && n % 1 ? n.toFixed(1) : n.toFixed(0), units[i]];
}
const bytes = (n) => scaled(n, 1024, ["B", "KiB", "MiB", "GiB"]);
const time = (s) => (s ? scaled(s * 1e6, 1000, ["µs", "ms", "s"]) : ["–", ""]);
const text = (parts) => parts.join(" ").trim();
const age = (s) => text(s < 60 ? [Math.floor(s), "s"] : s < 3600 ? [Math.floor(s / 60), "min"] : [(s / 3600).toFixed(1), "h"]);

// ---- what is shown

let frames = []; // of the last minute
let seen = []; // those that are shown
let tables = null; // the newest
let shown = null; // those that are shown
let paused = false;

// keep adds frames, and drops those that are too old.
function keep(...more) {
  const all = frames.concat(more);
  frames = all.filter((f) => f.t >= all.at(-1).t - span);
  schedule();
}

// values has those of a field at each frame but the first.
const values = (field) => seen.slice(1).map((f) => f[field]);

// rate is how much a count has grown a second, over the last second.
const rate = (field, by = 1) => seen.slice(1).map((f, i) => {
  const before = seen[Math.max(0, i + 1 - second)];
  return (by * (f[field] - before[field])) / (f.t - before.t);
});

const highest = (list, show) => "highest " + text(show(Math.max(...list)));
const count = (n) => [whole(Math.round(n)), ""];
const tiles = {
  engine: [
    { name: "Sockets", values: () => values("sockets"), show: count, colour: "sent" },
    { name: "Dropped", values: () => rate("dropped"), show: (n) => [short(n), "/ s"], colour: "warm" },
    { name: "Waiting to be sent", values: () => values("waiting"), show: bytes, colour: "warm" },
    { name: "Round trip", values: () => values("p50"), show: time, note: () => "p99 " + text(time(seen.at(-1).p99)), colour: "sent" },
  ],
  process: [
    { name: "CPU", values: () => rate("cpu", 100), show: (n) => [n.toFixed(n < 10 ? 1 : 0), "% of a core"], colour: "own" },
    { name: "Heap", values: () => values("heap"), show: bytes, colour: "own" },
    { name: "Goroutines", values: () => values("go"), show: count, colour: "own" },
    { name: "Longest GC pause", values: () => values("pause"), show: time, value: (list) => Math.max(...list), note: () => "last minute", colour: "own" },
  ],
};

function make(tag, parent, properties) {
  return Object.assign(parent.appendChild(document.createElement(tag)), properties);
}

for (const [id, list] of Object.entries(tiles)) {
  for (const tile of list) {
    const div = make("div", byId(id));
    make("dt", div, { textContent: tile.name });
    const dd = make("dd", div);
    tile.number = make("b", dd);
    tile.unit = make("span", dd);
    tile.remark = make("dd", div, { className: "note" });
    tile.paint = canvas(make("canvas", make("dd", div, { className: "spark", ariaHidden: true })), schedule);
  }
}

function drawTile(tile, times, tell) {
  const list = tile.values();
  spark(tile.paint, times, list, span, tile.colour);
  if (!tell) return;
  const [n, unit] = tile.show(tile.value ? tile.value(list) : list.at(-1));
  tile.number.textContent = n;
  tile.unit.textContent = unit;
  tile.remark.textContent = tile.note ? tile.note() : highest(list, tile.show);
}

const messages = canvas(byId("messages"), schedule);
let pointed = null; // where, on the chart
function drawMessages(times, tell) {
  const sent = rate("out"), received = rate("in"), marked = mirror(messages, times, sent, received, span, short, pointed);
  if (!tell) return;
  byId("sent").textContent = whole(Math.round(sent.at(marked)));
  byId("received").textContent = whole(Math.round(received.at(marked)));
  byId("then").textContent = marked < 0 ? "" : Math.round(times.at(-1) - times[marked]) + " s ago";
}
for (const type of ["pointermove", "pointerleave"]) {
  byId("messages").addEventListener(type, (e) => {
    pointed = type === "pointerleave" ? null : e.offsetX;
    told = 0;
    schedule(true);
  });
}

// ---- tables

const handlers = canvas(byId("handlers"), () => {
  shown = null;
  schedule();
});
const powers = [[0, "1 µs"], [10, "1 ms"], [20, "1 s"]]; // 2^10 µs is a millisecond, nearly
function drawHandlers(counts) {
  const all = counts.reduce((a, b) => a + b, 0);
  bars(handlers, counts.slice(0, 23), "sent", powers, short);
  let rank = all / 2;
  const half = counts.findIndex((n) => (rank -= n) <= 0);
  byId("handlers-note").textContent = `${whole(all)} in the last minute`;
  byId("handlers").ariaLabel = all ? `Times of ${all} callbacks in the last minute: half of them took up to ${text(time(2 ** half / 1e6))}` : "No callbacks in the last minute";
}

const meanings = {
  1000: "normal", 1001: "going away", 1002: "protocol error", 1005: "no code", 1006: "lost", 1007: "invalid payload", 1008: "policy",
  1009: "too big", 1011: "internal error", 1013: "slow consumer", 4403: "disconnected here",
};

const update = {
  sockets: table(byId("sockets"), {
    key: (s) => s.id, sort: 4, columns: [
      { name: "Socket", value: (s) => s.id, text: (s) => s.id.slice(0, 8) + (s.id === live.id ? " (you)" : ""), className: "id" },
      { name: "Path", value: (s) => s.path, className: "path" },
      { name: "Open for", value: (s) => s.age, text: (s) => age(s.age), className: "n" },
      { name: "Round trip", value: (s) => s.rtt, text: (s) => text(time(s.rtt)), className: "n" },
      { name: "Waiting", value: (s) => s.waiting, text: (s) => text(bytes(s.waiting)), className: "n" },
      { name: "", make: disconnector, className: "act" },
    ],
  }),
  rooms: table(byId("rooms"), {
    key: (r) => r.name, sort: 1, columns: [
      { name: "Room", value: (r) => r.name, className: "path" },
      { name: "Sockets", value: (r) => r.sockets, text: (r) => whole(r.sockets), className: "n" },
    ],
  }),
  events: table(byId("events"), {
    key: (e) => e.route + " " + e.event, sort: 4, columns: [
      { name: "Event", value: (e) => e.event, className: "path" },
      { name: "Route", value: (e) => e.route, className: "path" },
      { name: "A second", value: (e) => e.rate, text: (e) => short(e.rate), className: "n" },
      { name: "p50", value: (e) => e.p50, text: (e) => text(time(e.p50)), className: "n" },
      { name: "p99", value: (e) => e.p99, text: (e) => text(time(e.p99)), className: "n" },
    ],
  }),
  closes: table(byId("closes"), {
    key: (c) => c.by + c.code, sort: 2, columns: [
      { name: "By", value: (c) => c.by },
      { name: "Code", value: (c) => c.code, text: (c) => c.code + " " + (meanings[c.code] ?? (c.code >= 3000 ? "the program's own" : "")) },
      { name: "Sockets", value: (c) => c.n, text: (c) => whole(c.n), className: "n" },
    ],
  }),
  drops: table(byId("drops"), {
    key: (d) => d[0], sort: 1, columns: [
      { name: "Because", value: (d) => d[0] },
      { name: "Messages", value: (d) => d[1], text: (d) => whole(d[1]), className: "n" },
    ],
  }),
};

function drawTables() {
  shown = tables;
  drawHandlers(tables.handlers);
  for (const name of ["sockets", "rooms", "events", "closes"]) update[name](tables[name]);
  update.drops(Object.entries(tables.drops).filter(([, n]) => n > 0));
  const all = seen.at(-1).sockets, some = tables.sockets.length;
  byId("sockets-note").textContent = some < all ? `${some} of ${whole(all)}: the slowest, then the newest` : "";
  byId("messages").ariaLabel = `Messages a second in the last minute: ${byId("sent").textContent} sent, ${byId("received").textContent} received`;
}

// ---- drawing: never while the page is hidden, and once a second for who wants no motion

const still = matchMedia("(prefers-reduced-motion: reduce)");
let asked = false, drawn = 0, told = 0;

function schedule(now) {
  if (asked || document.hidden || (now !== true && (paused || (still.matches && performance.now() - drawn < 1000)))) return;
  asked = true;
  requestAnimationFrame((now) => {
    asked = false;
    drawn = now;
    draw(now);
  });
}
document.addEventListener("visibilitychange", schedule);

function draw(now) {
  if (!paused) seen = frames;
  if (seen.length < 2) return;
  const tell = now - told > 450, times = values("t"); // numbers that change faster are not read
  if (tell) {
    told = now;
    byId("up").textContent = "up " + age(times.at(-1));
  }
  for (const tile of [...tiles.engine, ...tiles.process]) drawTile(tile, times, tell);
  drawMessages(times, tell);
  if (tables && tables !== shown && !paused) drawTables();
}

byId("pause").addEventListener("click", ({ target }) => {
  paused = !paused;
  target.ariaPressed = paused;
  showState();
  schedule();
});

// ---- the connection

const live = connect("/live");
live.on("picture", (now) => {
  const later = frames.filter((f) => f.t > now.frames.at(-1).t);
  frames = now.frames;
  tables = now.tables;
  keep(...later);
});
live.on("frame", (f) => keep(f));
live.on("tables", (t) => {
  tables = t;
  schedule();
});
live.watch("state", ({ name }) => {
  if (name === "open") frames = []; // the server may be another one
  showState();
});

const words = { open: "live", waiting: "connection lost, trying again" };
function showState() {
  const { name, why } = live.state, said = name === "closed" ? why.reason : words[name] ?? "connecting";
  byId("state").textContent = name === "open" && paused ? "paused" : said;
  byId("state").dataset.state = paused ? "paused" : name;
  byId("again").hidden = name !== "closed";
  byId("pause").hidden = name === "closed";
}
byId("again").addEventListener("click", () => live.open());

// ---- disconnecting, with the token, which this page forgets when it is left

const unlock = byId("unlock");
let token = "";

async function ask(method, path) {
  const answer = await fetch("/admin" + path, { method, headers: { Authorization: "Bearer " + token } });
  if (!answer.ok) throw Error(answer.status === 401 ? "That is not the token." : (await answer.json()).error);
}

async function attempt(f) {
  unlock.querySelector("p").textContent = "";
  try {
    await f();
  } catch (e) {
    unlock.querySelector("p").textContent = e.message;
  }
}

unlock.addEventListener("submit", (e) => {
  e.preventDefault();
  const field = unlock.elements.token;
  attempt(async () => {
    token = field.value;
    await ask("GET", "");
    field.value = "";
    document.body.classList.add("admin");
    byId("sockets").parentElement.focus();
  });
});

function disconnector(s) {
  const button = document.createElement("button");
  button.textContent = "Disconnect";
  button.ariaLabel = "Disconnect " + s.id.slice(0, 8);
  button.addEventListener("click", () => attempt(() => ask("DELETE", "/sockets/" + encodeURIComponent(s.id))));
  return button;
}
