// What is on the board, as pixels. Elements with points are strokes; the others are notes.

export const noteWidth = 200;
const notePadding = 12;
const lineHeight = 21;
const font = "15px system-ui, sans-serif";
const paths = new WeakMap(); // of strokes, which never change

// smooth leads a line through the middles between points, which bend it.
function smooth(points) {
  const path = new Path2D();
  path.moveTo(points[0], points[1]);
  for (let i = 2; i < points.length - 2; i += 2) {
    path.quadraticCurveTo(points[i], points[i + 1], (points[i] + points[i + 2]) / 2, (points[i + 1] + points[i + 3]) / 2);
  }
  path.lineTo(points.at(-2), points.at(-1));
  return path;
}

export function drawStroke(ctx, stroke, color) {
  const { points, pressure, width } = stroke;
  ctx.strokeStyle = color;
  ctx.lineCap = ctx.lineJoin = "round";
  ctx.lineWidth = width;
  if (!pressure) {
    if (!paths.has(stroke)) paths.set(stroke, smooth(points));
    return ctx.stroke(paths.get(stroke));
  }
  for (let i = 0; i < points.length; i += 2) {
    const from = Math.max(0, i - 2);
    ctx.lineWidth = width * (0.4 + 1.2 * pressure[i / 2]);
    ctx.beginPath();
    ctx.moveTo(points[from], points[from + 1]);
    ctx.lineTo(points[i], points[i + 1]);
    ctx.stroke();
  }
}

// touches tells whether a stroke is within a distance of the way from a to b.
export function touches({ points, width }, x, y, distance) {
  for (let i = 0; i < points.length; i += 2) {
    const from = Math.max(0, i - 2);
    const [ax, ay, bx, by] = [points[from], points[from + 1], points[i], points[i + 1]];
    const length = (bx - ax) ** 2 + (by - ay) ** 2;
    const t = length && Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
    if (Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) <= distance + width / 2) return true;
  }
  return false;
}

// lines breaks the text of a note as the page does.
function lines(ctx, text) {
  const width = noteWidth - 2 * notePadding;
  const fits = (s) => ctx.measureText(s).width <= width;
  return text.split("\n").flatMap((paragraph) => {
    const out = [""];
    for (let word of paragraph.split(/(?<= )/)) {
      if (!fits(out.at(-1) + word.trimEnd()) && out.at(-1)) out.push("");
      for (; !fits(word.trimEnd()); out.push("")) {
        let n = word.length;
        while (n > 1 && !fits(word.slice(0, n))) n--;
        out[out.length - 1] = word.slice(0, n);
        word = word.slice(n);
      }
      out[out.length - 1] += word;
    }
    return out;
  });
}

// bounds is the rectangle that has all elements, or null.
export function bounds(elements) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { points, width, x, y, height = 120 } of elements) {
    const of = points || [x, y, x + noteWidth, y + height];
    const edge = points ? width : 0;
    for (let i = 0; i < of.length; i += 2) {
      left = Math.min(left, of[i] - edge);
      right = Math.max(right, of[i] + edge);
      top = Math.min(top, of[i + 1] - edge);
      bottom = Math.max(bottom, of[i + 1] + edge);
    }
  }
  return left > right ? null : { left, top, right, bottom, width: right - left, height: bottom - top };
}

// picture draws all on a canvas of its own. style tells the colors.
export function picture(elements, style) {
  const canvas = document.createElement("canvas");
  const ctx = canvas.getContext("2d");
  ctx.font = font;
  const all = elements.map((e) => {
    if (e.points) return e;
    const text = lines(ctx, e.text || "");
    return { ...e, lines: text, height: Math.max(120, text.length * lineHeight + 2 * notePadding) };
  });
  const margin = 32;
  const { left, top, width, height } = bounds(all);
  const scale = Math.min(2, 8000 / (Math.max(width, height) + 2 * margin));
  canvas.width = (width + 2 * margin) * scale;
  canvas.height = (height + 2 * margin) * scale;
  ctx.fillStyle = style("paper");
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.setTransform(scale, 0, 0, scale, (margin - left) * scale, (margin - top) * scale);
  for (const e of all) if (e.points) drawStroke(ctx, e, style(e.color));
  ctx.font = font;
  ctx.textBaseline = "middle";
  for (const { x, y, color, lines, height } of all.filter((e) => !e.points)) {
    ctx.fillStyle = style("note-" + color);
    ctx.fillRect(x, y, noteWidth, height);
    ctx.fillStyle = style("on-note");
    lines.forEach((line, i) => ctx.fillText(line, x + notePadding, y + notePadding + (i + 0.5) * lineHeight));
  }
  return canvas;
}
