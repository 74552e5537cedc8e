import { newBoard } from "/board.js";
import { bounds, drawStroke, picture, touches } from "/draw.js";
import { arrow, newNotes } from "/notes.js";
import { kept, newPeople } from "/people.js";

const $ = (id) => document.getElementById(id);
const name = location.pathname.split("/").pop();
const me = kept(sessionStorage, "user", () => Math.random().toString(36).slice(2, 12));
const stage = $("stage"), sheet = $("sheet"), wet = $("wet");
const maxPoints = 1000; // of the server

const tool = { name: "pen", color: "ink", width: 4 };
const view = { x: 0, y: 0, scale: 1 }; // x, y: what is in the middle of the stage
const cross = { x: 0, y: 0, shown: false }; // of the keyboard
const drafts = new Map(); // strokes that others are drawing, by user
let painting = false;
let stale = true; // what is on the sheet
let fitted = false; // to what was there first
let stroke = null; // that is being drawn here
let erased = new Set(); // what the eraser has touched and not let go

const board = newBoard(name, me, {
  changed() {
    for (const [user, d] of drafts) if (board.get(d.id)) drafts.delete(user);
    notes.show();
    people.showState();
    paint();
  },
  loaded() {
    if (!fitted && !stroke) fit();
    fitted = true;
  },
  live: showLive,
  people(change) {
    people.show(change);
    notes.show(); // which have names
  },
  state: () => people.showState(),
  refused: ({ set }, why) => toast("Not done: " + why + (set?.text ? ". Your text was: " + set.text : "")),
});
const people = newPeople(board, me);
const notes = newNotes(board, { tool, toBoard, reveal, nameOf: people.nameOf, scale: () => view.scale, leave: () => wet.focus() });

// ---- what is seen

function css(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + variable).trim();
}
function toScreen(x, y) {
  return [(x - view.x) * view.scale + innerWidth / 2, (y - view.y) * view.scale + innerHeight / 2];
}
function toBoard({ clientX, clientY }) {
  const round = (v) => Math.round(v * 10) / 10;
  return { x: round((clientX - innerWidth / 2) / view.scale + view.x), y: round((clientY - innerHeight / 2) / view.scale + view.y) };
}

// paint shows all with the next frame; or what is not done yet alone, which is wet.
function paint(wetAlone) {
  stale ||= wetAlone !== true;
  if (!painting) requestAnimationFrame(paintNow);
  painting = true;
}

function paintNow() {
  if (stale) paintSheet();
  painting = stale = false;
  const ctx = clean(wet);
  for (const d of [...drafts.values(), stroke]) if (d?.points.length) drawStroke(ctx, { ...d }, css(d.color));
  if (cross.shown && document.activeElement === wet) drawCross(ctx);
}

function paintSheet() {
  const ctx = clean(sheet), colors = {};
  for (const e of board.elements) {
    if (!e.points) continue;
    ctx.globalAlpha = erased.has(e.id) ? 0.25 : 1;
    drawStroke(ctx, e, (colors[e.color] ??= css(e.color)));
  }
  const [x, y] = toScreen(0, 0);
  $("notes").style.transform = $("cursors").style.transform = `translate(${x}px, ${y}px) scale(${view.scale})`;
  $("cursors").style.setProperty("--unscale", 1 / view.scale);
  stage.style.backgroundPosition = `${x}px ${y}px`;
  stage.style.backgroundSize = `${24 * view.scale}px ${24 * view.scale}px`;
  $("scale").textContent = Math.round(view.scale * 100) + "%";
}

function clean(canvas) {
  const dpr = devicePixelRatio, ctx = canvas.getContext("2d");
  const width = Math.round(innerWidth * dpr), height = Math.round(innerHeight * dpr);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, width, height);
  const [x, y] = toScreen(0, 0), scale = view.scale * dpr;
  ctx.setTransform(scale, 0, 0, scale, x * dpr, y * dpr);
  return ctx;
}

function drawCross(ctx) {
  const r = 14 / view.scale;
  ctx.strokeStyle = css("accent");
  ctx.lineWidth = 2 / view.scale;
  ctx.beginPath();
  ctx.moveTo(cross.x - r, cross.y);
  ctx.lineTo(cross.x + r, cross.y);
  ctx.moveTo(cross.x, cross.y - r);
  ctx.lineTo(cross.x, cross.y + r);
  ctx.stroke();
}

function zoom(by, at = { x: view.x, y: view.y }) {
  const scale = Math.min(4, Math.max(0.1, view.scale * by));
  view.x = at.x - (at.x - view.x) * view.scale / scale;
  view.y = at.y - (at.y - view.y) * view.scale / scale;
  view.scale = scale;
  paint();
}

function fit() {
  const b = bounds(board.elements.map((e) => ({ ...e, height: notes.height(e.id) })));
  Object.assign(view, b ? { x: (b.left + b.right) / 2, y: (b.top + b.bottom) / 2 } : { x: 0, y: 0 });
  view.scale = b ? Math.min(1, Math.max(0.1, Math.min((innerWidth - 48) / b.width, (innerHeight - 200) / b.height))) : 1;
  paint();
}

// ---- the pointer

const pointers = new Map(); // on the canvas, where they are
let pinch = null; // how far two of them are from each other

wet.addEventListener("pointerdown", (e) => {
  notes.done();
  pointers.set(e.pointerId, e);
  wet.setPointerCapture(e.pointerId);
  cross.shown = false;
  if (pointers.size === 2) return startPinch();
  const at = toBoard(e);
  if (e.button || tool.name === "move") return;
  if (tool.name === "pen") stroke = newStroke(at, e);
  if (tool.name === "eraser") rub(at);
});

wet.addEventListener("pointermove", (e) => {
  const at = toBoard(e), last = pointers.get(e.pointerId);
  pointers.set(e.pointerId, e);
  if (!last) pointers.delete(e.pointerId);
  else if (pointers.size === 2) followPinch(last);
  else if (stroke) for (const part of e.getCoalescedEvents?.() || [e]) extend(toBoard(part), part);
  else if (tool.name === "eraser") rub(at);
  else if (tool.name === "move" || last.button === 1) pan(last.clientX - e.clientX, last.clientY - e.clientY);
  board.live({ ...at, stroke });
});

function up(e) {
  if (!pointers.delete(e.pointerId)) return;
  if (tool.name === "note" && !pinch && e.type === "pointerup" && !e.button) addNote(toBoard(e));
  pinch = null;
  finish();
}
wet.addEventListener("pointerup", up);
wet.addEventListener("pointercancel", up);
wet.addEventListener("pointerleave", () => pointers.size === 0 && board.live({}));

function startPinch() {
  stroke = null;
  pinch = spread();
}
function spread() {
  const [a, b] = pointers.values();
  return { d: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
}
function followPinch() {
  const now = spread();
  pan(pinch.clientX - now.clientX, pinch.clientY - now.clientY);
  zoom(now.d / pinch.d, toBoard(now));
  pinch = now;
}
function pan(dx, dy) {
  view.x += dx / view.scale;
  view.y += dy / view.scale;
  paint();
}
stage.addEventListener("wheel", (e) => {
  e.preventDefault();
  if (e.ctrlKey) zoom(Math.exp(-e.deltaY / 200), toBoard(e));
  else pan(e.deltaX, e.deltaY);
}, { passive: false });

function newStroke({ x, y }, { pointerType, pressure }) {
  paint();
  const pen = pointerType === "pen" && pressure > 0;
  return { id: board.newID(), color: tool.color, width: tool.width, points: [x, y], ...(pen && { pressure: [pressure] }) };
}

// extend draws on. A stroke that has as many points as it may goes on in another one.
function extend({ x, y }, { pressure = 0 }) {
  const { points } = stroke;
  if (Math.hypot(x - points.at(-2), y - points.at(-1)) * view.scale < 1) return;
  points.push(x, y);
  stroke.pressure?.push(Math.round(pressure * 100) / 100);
  if (points.length === 2 * maxPoints) {
    const rest = { ...stroke, id: board.newID(), points: [x, y], ...(stroke.pressure && { pressure: [pressure] }) };
    finish();
    stroke = rest;
  }
  paint(true);
}

// finish does what the pen or the eraser has begun.
function finish() {
  const add = stroke, hide = [...erased];
  stroke = null;
  erased = new Set();
  if (hide.length > 0) board.act({ hide });
  if (add) board.act({ add });
}

function addNote({ x, y }) {
  choose("name", "move");
  notes.add(x, y);
}

function rub({ x, y }) {
  for (const e of board.elements) if (e.points && touches(e, x, y, 8 / view.scale)) erased.add(e.id);
  paint();
}

// ---- the keyboard

wet.addEventListener("keydown", (e) => {
  const step = arrow(e), act = e.key === " " || e.key === "Enter";
  if (!step && !act && e.key !== "Escape") return;
  e.preventDefault();
  if (!cross.shown) Object.assign(cross, { x: Math.round(view.x), y: Math.round(view.y), shown: true });
  if (step && tool.name === "move") return pan(4 * step[0], 4 * step[1]);
  if (step) {
    cross.x += step[0] / view.scale;
    cross.y += step[1] / view.scale;
    reveal(cross);
    if (stroke) extend(cross, {});
  } else if (stroke) finish();
  else if (act && tool.name === "pen") stroke = newStroke(cross, {});
  else if (act && tool.name === "eraser") rub(cross), finish();
  else if (act && tool.name === "note") addNote(cross);
  board.live({ x: cross.x, y: cross.y, stroke });
  paint();
});
wet.addEventListener("blur", finish);
wet.addEventListener("focus", paint);

addEventListener("keydown", (e) => {
  if (!(e.ctrlKey || e.metaKey) || e.altKey || e.target.matches("input, textarea")) return;
  const key = e.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  e.preventDefault();
  $(key === "y" || e.shiftKey ? "redo" : "undo").click();
});

// reveal has the view follow the keyboard to where it has come.
function reveal({ x, y }) {
  const [left, top] = toScreen(x, y), edge = 60;
  if (left < edge || top < 2 * edge || left > innerWidth - edge || top > innerHeight - 2 * edge) Object.assign(view, { x, y });
  paint();
}

// ---- the tools

function button(of, key, value, label) {
  const b = Object.assign(document.createElement("button"), { ariaLabel: label, title: label, className: key });
  b.dataset[key] = value;
  b.append(document.createElement("span"));
  $(of).append(b);
}
for (const color of ["ink", "red", "yellow", "green", "blue", "violet"]) button("colors", "color", color, color[0].toUpperCase() + color.slice(1));
for (const [width, label] of [[2, "Thin"], [4, "Medium"], [10, "Thick"]]) button("widths", "width", width, label);

// choose sets the tool's name, color or width, which has a button.
function choose(key, value) {
  if (key in { name: 1, color: 1 }) finish();
  tool[key] = value;
  if (key === "name") document.body.dataset.tool = value;
  for (const b of $("tools").querySelectorAll(`[data-${key}]`)) b.ariaPressed = b.dataset[key] === String(value);
}
for (const key of ["name", "color", "width"]) choose(key, tool[key]);
$("tools").addEventListener("click", (e) => {
  const { name, color, width } = e.target.closest("button")?.dataset || {};
  if (name) choose("name", name);
  if (color) choose("color", color);
  if (width) choose("width", Number(width));
});
$("undo").onclick = () => {
  notes.done();
  if (!board.undo()) toast("There is nothing of yours to undo.");
};
$("redo").onclick = () => board.redo() || toast("There is nothing to do again.");
$("clear").onclick = () => {
  if (board.elements.length > 0) board.act({ clear: true });
  toast("The board is clear. Undo brings back what was on it.");
};
$("save").onclick = () => {
  if (board.elements.length === 0) return toast("There is nothing on the board yet.");
  picture(board.elements, css).toBlob((blob) => {
    const a = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name + ".png" });
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
  });
};
$("in").onclick = () => zoom(1.25);
$("out").onclick = () => zoom(0.8);
$("fit").onclick = fit;
$("share").onclick = () => {
  const copied = navigator.clipboard?.writeText(location.href) || Promise.reject();
  copied.then(() => toast("The link is copied."), () => toast(location.href));
};

function toast(text) {
  const p = Object.assign(document.createElement("p"), { textContent: text });
  $("toasts").append(p);
  if ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => p.remove(), 8000);
}

// ---- the others

function showLive({ user, x, y, stroke, note }) {
  people.point(user, x, y);
  if (note) notes.place(note);
  if (stroke && !board.get(stroke.id)) {
    const d = drafts.get(user), known = d?.id === stroke.id ? d.points : [];
    drafts.set(user, { ...stroke, points: known.concat(stroke.points || []).slice(0, 2 * maxPoints), at: Date.now() });
  }
  paint(true);
}

// A stroke of which nothing is heard any more was given up.
setInterval(() => {
  if (stroke) board.live({ x: stroke.points.at(-2), y: stroke.points.at(-1), stroke });
  for (const [user, d] of drafts) if (Date.now() - d.at > 6000) drafts.delete(user);
  paint(true);
}, 2000);

new ResizeObserver(paint).observe(stage);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
