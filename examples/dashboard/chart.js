// Line charts as SVG, without styles in attributes, so that a strict CSP lets them pass.

const ns = "http://www.w3.org/2000/svg";
const width = 480, height = 170, left = 44, right = 8, top = 8, bottom = 20;

function add(parent, name, attributes, text) {
  const e = document.createElementNS(ns, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  parent.append(e);
  return e;
}

// ceiling is a round number at or above v.
function ceiling(v) {
  if (v <= 1) return 1;
  const unit = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].find((m) => m * unit >= v) * unit;
}

export function short(n) {
  if (n >= 1e6) return +(n / 1e6).toFixed(1) + " M";
  if (n >= 1e4) return +(n / 1e3).toFixed(1) + " k";
  return String(+n.toFixed(n < 10 ? 1 : 0));
}

// chart returns a function that draws lines: {name: [values]}, the newest last, in a
// window of so many values. A line keeps its colour for as long as the page lives.
export function chart(at, size) {
  const colours = new Map(), svg = add(at, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const legend = at.appendChild(document.createElement("ul"));
  legend.className = "legend";
  return (lines) => {
    const names = Object.keys(lines);
    for (const n of names) if (!colours.has(n)) colours.set(n, "c" + (colours.size % 8));
    const most = ceiling(Math.max(0, ...Object.values(lines).flat()));
    const x = (i, n) => left + (size - n + i) / (size - 1) * (width - left - right);
    const y = (v) => height - bottom - v / most * (height - top - bottom);
    svg.replaceChildren();
    for (const v of [0, most / 2, most]) {
      add(svg, "line", { x1: left, x2: width - right, y1: y(v), y2: y(v), class: "grid" });
      add(svg, "text", { x: left - 6, y: y(v) + 4, class: "end" }, short(v));
    }
    add(svg, "text", { x: left, y: height - 4 }, `${size} s ago`);
    add(svg, "text", { x: width - right, y: height - 4, class: "end" }, "now");
    for (const n of names) {
      const points = lines[n].map((v, i) => `${x(i, lines[n].length).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
      add(svg, "polyline", { points, class: "data " + colours.get(n) });
    }
    svg.setAttribute("aria-label", names.map((n) => `${n}: ${short(lines[n].at(-1) ?? 0)}`).join(", "));
    legend.replaceChildren(...names.map((n) => {
      const li = document.createElement("li"), value = document.createElement("b");
      value.textContent = short(lines[n].at(-1) ?? 0);
      li.className = colours.get(n);
      li.append(n + " ", value);
      return li;
    }));
  };
}
