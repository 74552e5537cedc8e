// draw shows a frame of the game on a canvas.
import { dashEvery, dashLasts, height, pillars, radius, unit, width } from "./step.js";

const W = width / unit, H = height / unit, R = radius / unit;
const calm = matchMedia("(prefers-reduced-motion: reduce)"), dark = matchMedia("(prefers-color-scheme: dark)");
const hues = [222, 8, 150, 44, 285, 190, 330, 95]; // by seat
const narrow = 600, leastScale = 0.5; // on narrow screens, of their pixels to the world's: then only a part is seen
const edge = 20; // around the world
const trails = new Map(); // by seat: the last places
const headings = new Map();
let colors;

export const color = (seat, alpha = 1) => `hsl(${hues[seat % hues.length]} 75% ${dark.matches ? 66 : 45}% / ${alpha})`;

function readColors() {
  const style = getComputedStyle(document.documentElement);
  colors = Object.fromEntries(["bg", "field", "line", "text", "soft", "gem", "gem-edge"].map((name) => [name, style.getPropertyValue("--" + name)]));
}
dark.addEventListener("change", () => (colors = null));

// draw scales to the screen, and follows our ship where not all of the world fits.
export function draw(canvas, scene, now) {
  if (!colors) readColors();
  const g = canvas.getContext("2d"), ratio = devicePixelRatio || 1, { clientWidth: w, clientHeight: h } = canvas;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const scale = Math.max(w < narrow ? leastScale : 0, Math.min(w / (W + 2 * edge), h / (H + 2 * edge)));
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.fillStyle = colors.bg;
  g.fillRect(0, 0, w, h);
  if (!scene) return;
  const { x, y } = corner(scene, w / scale, h / scale);
  g.setTransform(ratio * scale, 0, 0, ratio * scale, -ratio * scale * x, -ratio * scale * y);
  field(g);
  for (const gem of scene.gems) drawGem(g, gem, now);
  if (!calm.matches) for (const ship of scene.ships) trail(g, ship, now);
  for (const ship of scene.ships) drawShip(g, ship, now, scale);
  if (w / scale < W || h / scale < H) {
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    overview(g, scene, w, h);
  }
}

// corner is the upper left of what is seen, with our ship in the middle but for what is
// beyond the edges. Who watches follows the leader. If there is room below the world, as on
// a phone, it is left to the stick.
function corner({ ships, newest }, w, h) {
  const leader = () => ships.toSorted((a, b) => score(newest, b) - score(newest, a))[0];
  const at = ships.find(({ own }) => own) || leader() || { x: W / 2, y: H / 2 };
  const from = (v, seen, all) => (seen >= all + 2 * edge ? (all - seen) / 2 : Math.min(all + edge - seen, Math.max(-edge, v - seen / 2)));
  return { x: from(at.x, w, W), y: w < h ? Math.max(-edge, from(at.y, h, H)) : from(at.y, h, H) };
}

const score = (newest, { seat }) => newest.players.get(seat)?.score || 0;

function field(g) {
  g.fillStyle = colors.field;
  g.strokeStyle = colors.line;
  g.lineWidth = 2;
  g.beginPath();
  g.roundRect(0, 0, W, H, 24);
  g.fill();
  g.stroke();
  g.fillStyle = colors.line;
  for (let x = 50; x < W; x += 50) for (let y = 50; y < H; y += 50) g.fillRect(x - 1, y - 1, 2, 2);
  for (const { x, y, r } of pillars) {
    circle(g, x / unit, y / unit, r / unit);
    g.fillStyle = colors.bg;
    g.fill();
    g.stroke();
    circle(g, x / unit, y / unit, r / unit - 12);
    g.stroke();
  }
}

function circle(g, x, y, r) {
  g.beginPath();
  g.arc(x, y, r, 0, 2 * Math.PI);
}

function drawGem(g, { gem, x, y }, now) {
  const r = calm.matches ? 9 : 9 + Math.sin(now / 300 + gem);
  g.beginPath();
  g.moveTo(x, y - r);
  g.lineTo(x + r * 0.75, y);
  g.lineTo(x, y + r);
  g.lineTo(x - r * 0.75, y);
  g.closePath();
  g.fillStyle = colors.gem;
  g.fill();
  g.strokeStyle = colors["gem-edge"];
  g.lineWidth = 1.5;
  g.moveTo(x - r * 0.75, y);
  g.lineTo(x + r * 0.75, y);
  g.stroke();
}

// trail is where a ship has been in the last third of a second.
function trail(g, { seat, x, y, away }, now) {
  const past = trails.get(seat) || [];
  trails.set(seat, past);
  past.push({ x, y, now });
  while (now - past[0].now > 350) past.shift();
  const last = past.at(-2);
  if (last && Math.hypot(x - last.x, y - last.y) > 100) past.length = 0; // it was put elsewhere
  if (away) return;
  g.lineCap = "round";
  for (let i = 1; i < past.length; i++) {
    g.strokeStyle = color(seat, (0.35 * i) / past.length);
    g.lineWidth = (R * 1.3 * i) / past.length;
    g.beginPath();
    g.moveTo(past[i - 1].x, past[i - 1].y);
    g.lineTo(past[i].x, past[i].y);
    g.stroke();
  }
}

// heading turns a ship to where it goes; one that stands keeps its direction.
function heading({ seat, vx, vy }) {
  const was = headings.get(seat) ?? -Math.PI / 2;
  if (Math.hypot(vx, vy) < 20) return was;
  const turn = Math.atan2(vy, vx) - was, least = Math.atan2(Math.sin(turn), Math.cos(turn));
  headings.set(seat, was + least * 0.35);
  return was + least * 0.35;
}

function drawShip(g, ship, now, scale) {
  const { seat, own, name, x, y, dash, away, hurt } = ship, dashing = dash > dashEvery - dashLasts;
  g.save();
  g.globalAlpha = away ? 0.35 : hurt && !calm.matches && Math.floor(now / 90) % 2 ? 0.45 : 1;
  g.translate(x, y);
  if (own) ready(g, seat, dash);
  g.save();
  g.rotate(heading(ship));
  g.beginPath();
  g.moveTo(R, 0);
  g.lineTo(-R * 0.75, R * 0.72);
  g.quadraticCurveTo(-R * 0.3, 0, -R * 0.75, -R * 0.72);
  g.closePath();
  g.lineJoin = "round";
  g.lineWidth = 6;
  g.fillStyle = color(seat);
  g.strokeStyle = dashing ? colors.text : color(seat);
  g.stroke();
  g.fill();
  g.restore();
  label(g, away ? name + " (away)" : name, own, scale);
  g.restore();
}

// ready is the ring around our ship: whole, it can dash.
function ready(g, seat, dash) {
  g.strokeStyle = color(seat, dash ? 0.5 : 1);
  g.lineWidth = 2;
  g.beginPath();
  g.arc(0, 0, R + 9, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * (1 - dash / dashEvery));
  g.stroke();
}

function label(g, name, own, scale) {
  const size = Math.max(15, 12 / scale);
  g.font = `${own ? 700 : 500} ${size}px system-ui, sans-serif`;
  g.textAlign = "center";
  g.lineWidth = 4;
  g.strokeStyle = colors.field;
  g.strokeText(name, 0, -R - 14);
  g.fillStyle = own ? colors.text : colors.soft;
  g.fillText(name, 0, -R - 14);
}

// overview is the whole world, between the stick and the button, for screens that show a
// part of it.
function overview(g, { ships, gems }, w, h) {
  const k = 92 / W, left = w / 2 - 28, top = h - 98;
  g.globalAlpha = 0.85;
  g.fillStyle = colors.field;
  g.strokeStyle = colors.line;
  g.lineWidth = 1;
  g.beginPath();
  g.roundRect(left, top, W * k, H * k, 4);
  g.fill();
  g.stroke();
  g.fillStyle = colors.gem;
  for (const { x, y } of gems) g.fillRect(left + x * k - 1, top + y * k - 1, 2, 2);
  for (const { seat, own, x, y } of ships) {
    circle(g, left + x * k, top + y * k, own ? 4 : 3);
    g.fillStyle = color(seat);
    g.fill();
  }
  g.globalAlpha = 1;
}
