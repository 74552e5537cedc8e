// The world and its step are those of step.go: whole numbers, of which 32 are a pixel.
export const unit = 32, width = 1600 * unit, height = 1000 * unit, radius = 18 * unit;
export const dashEvery = 45, dashLasts = 9;
export const pillars = [[400, 300, 60], [1200, 300, 60], [800, 500, 90], [400, 700, 60], [1200, 700, 60]]
  .map(([x, y, r]) => ({ x: x * unit, y: y * unit, r: r * unit }));

const div = (a, b) => (a / b) | 0; // as in Go, towards zero

// step moves a ship by one tick.
export function step(s, { x, y, dash }) {
  s.vx = div(7 * s.vx + 2 * x, 8);
  s.vy = div(7 * s.vy + 2 * y, 8);
  s.dash = Math.max(0, s.dash - 1);
  if (dash && s.dash === 0 && (x !== 0 || y !== 0)) {
    s.dash = dashEvery;
    s.vx += 5 * x;
    s.vy += 5 * y;
  }
  s.x += s.vx;
  s.y += s.vy;
  for (const p of pillars) bounce(s, p);
  [s.x, s.vx] = inside(s.x, s.vx, width);
  [s.y, s.vy] = inside(s.y, s.vy, height);
}

function inside(at, v, end) {
  if (at < radius) return [radius, div(Math.abs(v), 2)];
  if (at > end - radius) return [end - radius, div(-Math.abs(v), 2)];
  return [at, v];
}

function bounce(s, p) {
  const dx = s.x - p.x, dy = s.y - p.y, near = radius + p.r;
  const n = Math.floor(Math.sqrt(dx * dx + dy * dy)); // exact: Math.hypot need not be
  if (n >= near || n === 0) return;
  s.x = p.x + div(dx * near, n);
  s.y = p.y + div(dy * near, n);
  const v = div(s.vx * dx + s.vy * dy, n);
  if (v >= 0) return;
  s.vx -= div(v * dx * 3, 2 * n);
  s.vy -= div(v * dy * 3, 2 * n);
}
