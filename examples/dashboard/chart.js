// Charts on a canvas, as sharp as the screen. Colours are those of the style sheet.

const colours = new Map(); // by name; others when the scheme changes
function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue("--" + name));
  return colours.get(name);
}

// canvas returns a function that draws on an element: it calls draw(context, width, height).
// changed is called when what was drawn has to be drawn again.
export function canvas(element, changed) {
  const ctx = element.getContext("2d");
  let width = 0, height = 0;
  new ResizeObserver(() => {
    ({ clientWidth: width, clientHeight: height } = element);
    changed();
  }).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours.clear();
    changed();
  });
  return (draw) => {
    const w = Math.round(width * devicePixelRatio), h = Math.round(height * devicePixelRatio);
    if (!w || !h) return;
    if (element.width !== w) element.width = w;
    if (element.height !== h) element.height = h;
    ctx.setTransform(w / width, 0, 0, h / height, 0, 0);
    ctx.clearRect(0, 0, width, height);
    draw(ctx, width, height);
  };
}

// ticks are up to so many round steps that reach as far as the values do.
function ticks(values, least, most) {
  const far = Math.max(least, ...values), unit = 10 ** Math.floor(Math.log10(far / most));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * unit * most >= far) * unit;
  return Array.from({ length: Math.ceil(far / step) }, (_, i) => step * (i + 1));
}

function label(ctx, text, x, y, align) {
  ctx.fillStyle = colour("soft");
  ctx.font = "11px system-ui, sans-serif";
  ctx.textAlign = align;
  ctx.textBaseline = "middle";
  ctx.fillText(text, x, y);
}

function rule(ctx, y, left, right, name = "line") {
  ctx.fillStyle = colour(name);
  ctx.fillRect(left, Math.round(y), right - left, 1);
}

const gap = 1.5; // seconds without a frame

// area draws a line through the points, and the area between it and a base. Where frames
// are missing, nothing is drawn.
function area(ctx, times, x, y, base, name) {
  ctx.strokeStyle = ctx.fillStyle = colour(name);
  ctx.lineWidth = 1.5;
  ctx.lineJoin = "round";
  for (let from = 0, to; from < times.length; from = to) {
    for (to = from + 1; to < times.length && times[to] - times[to - 1] < gap; ) to++;
    const line = new Path2D();
    for (let i = from; i < to; i++) line.lineTo(x(times[i]), y(i));
    ctx.stroke(line);
    line.lineTo(x(times[to - 1]), base);
    line.lineTo(x(times[from]), base);
    ctx.globalAlpha = 0.16;
    ctx.fill(line);
    ctx.globalAlpha = 1;
  }
}

// spark draws one line without axes, a grey one if there is nothing. Times are in seconds,
// the newest last.
export function spark(paint, times, values, span, name) {
  paint((ctx, w, h) => {
    const last = times.at(-1), most = Math.max(...values);
    area(ctx, times, (t) => w * (1 - (last - t) / span), (i) => h - 1 - (values[i] / (most || 1)) * (h - 4), h, most ? name : "field");
  });
}

// mirror draws one line above a base and another below it, each to a scale of its own, and
// marks the frame that is nearest to a place. It returns which that is.
export function mirror(paint, times, up, down, span, show, place) {
  let marked = -1;
  paint((ctx, w, h) => {
    const left = 44, right = w - 6, top = 10, bottom = h - 24, base = Math.round(top + (bottom - top) * 0.6), last = times.at(-1);
    const x = (t) => right - ((last - t) / span) * (right - left);
    const half = (values, edge, parts, name) => {
      const steps = ticks(values, 10, parts), y = (v) => base + (v / steps.at(-1)) * (edge - base);
      for (const v of steps) {
        rule(ctx, y(v), left, right);
        label(ctx, show(v), left - 8, y(v), "right");
      }
      area(ctx, times, x, (i) => y(values[i]), base, name);
      return y;
    };
    const above = half(up, top, 4, "sent"), below = half(down, bottom, 3, "received");
    rule(ctx, base, left, right, "soft");
    label(ctx, "0", left - 8, base, "right");
    for (let s = span; s >= 0; s -= w < 500 ? 30 : 15) label(ctx, s ? s + " s ago" : "now", x(last - s), h - 8, s === span ? "left" : s ? "center" : "right");
    if (place === null) return;
    marked = times.reduce((best, t, i) => (Math.abs(x(t) - place) < Math.abs(x(times[best]) - place) ? i : best), 0);
    ctx.fillStyle = colour("soft");
    ctx.fillRect(x(times[marked]), top, 1, bottom - top);
    for (const [y, name] of [[above(up[marked]), "sent"], [below(down[marked]), "received"]]) {
      ctx.fillStyle = colour(name);
      ctx.beginPath();
      ctx.arc(x(times[marked]), y, 3.5, 0, 7);
      ctx.fill();
    }
  });
  return marked;
}

// bars draws counts, some of them with a name below.
export function bars(paint, counts, name, names, show) {
  paint((ctx, w, h) => {
    const left = 40, top = 10, bottom = h - 24, steps = ticks(counts, 10, 4), step = (w - left) / counts.length;
    const y = (v) => bottom - (v / steps.at(-1)) * (bottom - top);
    for (const v of [0, ...steps]) {
      rule(ctx, y(v), left, w, v ? "line" : "soft");
      label(ctx, show(v), left - 8, y(v), "right");
    }
    ctx.fillStyle = colour(name);
    counts.forEach((n, i) => {
      if (!n) return;
      const height = Math.max(2, bottom - y(n));
      ctx.beginPath();
      ctx.roundRect(left + i * step + 1.5, bottom - height, step - 3, height, [2, 2, 0, 0]);
      ctx.fill();
    });
    for (const [i, text] of names) label(ctx, text, left + (i + 0.5) * step, h - 8, "center");
  });
}
