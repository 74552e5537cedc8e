// table fills a table whose columns sort it, and returns a function that takes the rows.
// A column has a name and the value of a row; text, which shows it, or make, which makes
// what is in its cells once. Rows with the same key are the same.
export function table(element, { columns, key, sort, rising = false }) {
  element.setAttribute("role", "table"); // also where it is laid out as cards
  const head = element.createTHead().insertRow(), body = element.createTBody(), known = new Map();
  let rows = [];

  columns.forEach((c, i) => {
    const th = document.createElement("th");
    th.scope = "col";
    th.setAttribute("role", "columnheader");
    th.className = c.className ?? "";
    if (c.value) {
      const button = th.appendChild(document.createElement("button"));
      button.textContent = c.name;
      button.addEventListener("click", () => {
        rising = sort === i ? !rising : c.className !== "n"; // numbers fall at first
        sort = i;
        update(rows, true);
      });
    } else th.textContent = c.name;
    head.append(th);
  });

  function add(row) {
    const tr = document.createElement("tr");
    tr.setAttribute("role", "row");
    for (const c of columns) {
      const td = tr.insertCell();
      td.setAttribute("role", "cell");
      td.className = c.className ?? "";
      td.dataset.name = c.name;
      if (c.make) td.append(c.make(row));
    }
    return tr;
  }

  function fill(tr, row) {
    columns.forEach((c, i) => {
      if (c.make) return;
      const text = String(c.text ? c.text(row) : c.value(row)), td = tr.cells[i];
      if (td.textContent !== text) td.textContent = text;
    });
  }

  function drop(tr) {
    const focused = tr.contains(document.activeElement);
    tr.remove();
    if (focused) element.parentElement.focus();
  }

  // ordered is the rows as they are shown. While somebody is about to press a button in
  // one, they stay where they are.
  function ordered(anew) {
    const value = columns[sort].value, places = new Map([...body.rows].map((tr, i) => [tr, i]));
    const held = !anew && body.matches(":hover, :focus-within");
    const place = (row) => places.get(known.get(key(row))) ?? Infinity;
    return rows.toSorted((a, b) => {
      if (held) return Math.sign(place(a) - place(b)) || 0;
      const [x, y] = rising ? [value(a), value(b)] : [value(b), value(a)];
      return x < y ? -1 : x > y ? 1 : 0;
    });
  }

  function update(next, anew) {
    rows = next;
    [...head.cells].forEach((th, i) => {
      if (i === sort) th.ariaSort = rising ? "ascending" : "descending";
      else th.removeAttribute("aria-sort");
    });
    const keys = new Set(rows.map(key));
    for (const [k, tr] of known) if (!keys.has(k)) known.delete(k) && drop(tr);
    ordered(anew).forEach((row, i) => {
      const k = key(row), tr = known.get(k) ?? add(row);
      known.set(k, tr);
      fill(tr, row);
      if (body.rows[i] !== tr) body.insertBefore(tr, body.rows[i] ?? null);
    });
  }
  return update;
}
