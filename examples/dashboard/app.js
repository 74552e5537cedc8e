import { connect } from "/nextrush.js";
import { chart, short } from "./chart.js";

const size = 120; // seconds shown
const minute = 60;
const byId = (id) => document.getElementById(id);
const state = byId("state");

const charts = Object.fromEntries(["connections", "messages", "drops", "runs"].map((id) => [id, chart(byId(id), size)]));
let history = []; // {at, stats}, the newest last

const meanings = {
  1000: "normal", 1001: "going away", 1002: "protocol error", 1003: "unsupported data", 1005: "no code", 1006: "lost",
  1007: "invalid payload", 1008: "policy", 1009: "too big", 1011: "internal error", 1013: "slow consumer", 4401: "not authenticated", 4429: "too many",
};

function time(seconds) {
  if (!seconds) return "–";
  if (seconds < 1e-3) return (seconds * 1e6).toFixed(0) + " µs";
  if (seconds < 1) return (seconds * 1e3).toFixed(seconds < 0.1 ? 1 : 0) + " ms";
  return seconds.toFixed(1) + " s";
}

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let i = 0;
  for (; n >= 1024 && i < 3; i++) n /= 1024;
  return n.toFixed(i && n < 10 ? 1 : 0) + " " + units[i];
}

// recent is what times have counted since before.
function recent(now, before) {
  const had = new Map((before?.buckets ?? []).map((b) => [b.le, b.count]));
  const buckets = (now?.buckets ?? []).map((b) => ({ le: b.le, count: b.count - (had.get(b.le) ?? 0) }));
  return { count: (now?.count ?? 0) - (before?.count ?? 0), buckets };
}

// width is how wide the bucket is that ends at le: there are four to each power of two.
function width(le) {
  return 2 ** Math.max(0, Math.ceil(Math.log2(le * 4e6) - 1e-6) - 3) / 4e6;
}

function quantile(times, q) {
  let rank = q * times.count;
  for (const b of times.buckets) {
    if (b.count && rank <= b.count) return b.le - width(b.le) * (1 - rank / b.count);
    rank -= b.count;
  }
  return 0;
}

const total = (s) => Object.values(s.routes ?? {});
const sum = (list) => list.reduce((a, b) => a + b, 0);

// series has the values of each name over the window; f gives {name: count}.
function series(f, perSecond) {
  const lines = {}, values = history.map((h) => f(h.stats));
  for (const name of [...new Set(values.flatMap(Object.keys))].sort()) {
    lines[name] = perSecond
      ? values.slice(1).map((v, i) => Math.max(0, ((v[name] ?? 0) - (values[i][name] ?? 0)) / (history[i + 1].at - history[i].at) * 1000))
      : values.map((v) => v[name] ?? 0);
  }
  return lines;
}

function row(cells) {
  const tr = document.createElement("tr");
  tr.append(...cells.map(([text, kind]) => {
    const td = document.createElement("td");
    if (kind) td.className = kind;
    td.append(text);
    return td;
  }));
  return tr;
}

function meter(value, max) {
  const m = document.createElement("meter");
  m.max = max || 1;
  m.value = value;
  m.setAttribute("aria-label", time(value));
  return m;
}

function drawEvents(now, before, seconds) {
  const list = [];
  for (const [route, r] of Object.entries(now.routes)) {
    for (const [event, t] of Object.entries(r.events)) {
      const times = recent(t, before.routes[route]?.events[event]);
      list.push({ route, event, rate: times.count / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
    }
  }
  list.sort((a, b) => b.p99 - a.p99 || a.event.localeCompare(b.event));
  const most = Math.max(0, ...list.map((e) => e.p99));
  byId("events").tBodies[0].replaceChildren(...list.map((e) => row([
    [e.route], [e.event], [short(e.rate), "n"], [time(e.p50), "n"], [time(e.p99), "n"], [meter(e.p99, most), "more"],
  ])));
}

function drawCloses(now) {
  const list = Object.entries(now.closedBy).flatMap(([by, codes]) => Object.entries(codes).map(([code, n]) => ({ by, code, n })));
  list.sort((a, b) => b.n - a.n);
  byId("closes").tBodies[0].replaceChildren(...list.slice(0, 12).map((c) => row([
    [c.by], [c.code], [meanings[c.code] ?? (c.code >= 3000 ? "the program's own" : ""), "more"], [short(c.n), "n"],
  ])));
}

function drawTiles(now, before, seconds) {
  const rate = (f) => short(Math.max(0, f(now) - f(before)) / seconds);
  const rtt = recent(now.rtt, before.rtt), handed = sum(total(now).map((r) => r.handedOver));
  const tiles = {
    "open now": short(now.connections), "since the start": short(now.totalConnections), "received / s": rate((s) => s.messagesReceived),
    "sent / s": rate((s) => s.messagesSent), "dropped / s": rate((s) => s.dropped), "waiting": bytes(now.queuedBytes),
    "round trip p50": time(quantile(rtt, 0.5)), "round trip p99": time(quantile(rtt, 0.99)), "handed over": short(handed), "uptime": now.uptime,
  };
  byId("tiles").replaceChildren(...Object.entries(tiles).map(([name, value]) => {
    const div = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    div.append(dt, dd);
    return div;
  }));
}

function draw() {
  const last = history.at(-1), from = history[Math.max(0, history.length - 1 - minute)];
  const previous = history.at(-2) ?? last, seconds = Math.max(1, (last.at - from.at) / 1000);
  drawTiles(last.stats, from === last ? previous.stats : from.stats, seconds);
  charts.connections(series((s) => Object.fromEntries(Object.entries(s.routes).map(([route, r]) => [route, r.connections]))));
  charts.messages(series((s) => ({ received: s.messagesReceived, sent: s.messagesSent }), true));
  charts.drops(series((s) => s.drops, true));
  charts.runs(series((s) => ({
    inline: sum(total(s).map((r) => r.inline.count)), "in workers": sum(total(s).map((r) => r.workers.count)), "handed over": sum(total(s).map((r) => r.handedOver)),
  }), true));
  drawEvents(last.stats, from.stats, seconds);
  drawCloses(last.stats);
}

const live = connect("/live");
live.on("stats", (stats, { at }) => {
  history.push({ at, stats });
  history = history.slice(-size - 1);
  draw();
});
const words = { open: "live", waiting: "connection lost, trying again", closed: "closed" };
live.watch("state", ({ name }) => {
  if (name === "open") history = []; // the server may be another one
  state.textContent = words[name] ?? "connecting";
  state.dataset.state = name;
});
