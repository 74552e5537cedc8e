import { noteWidth } from "/draw.js";

const maxText = 500; // of the server
const keysRest = 500; // ms after which a note stays where the arrow keys have led it

// arrow is the step of an arrow key, which is fine with Shift, or undefined.
export function arrow({ key, shiftKey }) {
  const d = shiftKey ? 1 : 10;
  return { ArrowLeft: [-d, 0], ArrowRight: [d, 0], ArrowUp: [0, -d], ArrowDown: [0, d] }[key];
}

// newNotes shows the notes of a board, and lets them be moved and written.
export function newNotes(board, { tool, toBoard, reveal, nameOf, scale, leave }) {
  const boxes = new Map(); // by id
  const here = document.getElementById("notes");
  let moving = null; // { id, x, y }
  let editing = null; // { id, area }
  let rest;

  function show() {
    const shown = new Set();
    for (const e of board.elements) {
      if (e.points) continue;
      shown.add(e.id);
      showNote(e);
    }
    for (const [id, box] of boxes) {
      if (shown.has(id) || editing?.id === id) continue; // what is being written is not lost
      if (box.contains(document.activeElement)) leave();
      box.remove();
      boxes.delete(id);
    }
  }

  function showNote(e) {
    const box = boxes.get(e.id) || newBox(e.id);
    box.dataset.color = e.color;
    if (editing?.id !== e.id) box.querySelector("p").textContent = e.text || "";
    box.ariaLabel = "Note of " + nameOf(e.by);
    place(moving?.id === e.id ? moving : e);
  }

  // place shows a note where somebody moves it.
  function place({ id, x, y }) {
    const box = boxes.get(id);
    if (box) box.style.transform = `translate(${x}px, ${y}px)`;
  }

  function newBox(id) {
    const box = document.getElementById("note").content.firstElementChild.cloneNode(true);
    box.addEventListener("keydown", (e) => e.target === box && key(e, id));
    box.addEventListener("dblclick", () => edit(id));
    box.addEventListener("focus", () => reveal(board.get(id)));
    box.addEventListener("pointerdown", (e) => grab(e, id, box));
    box.querySelector(".edit").addEventListener("click", () => edit(id));
    box.querySelector(".delete").addEventListener("click", () => hide(id));
    boxes.set(id, box);
    here.append(box);
    return box;
  }

  const hide = (id) => board.act({ hide: [id] });

  function key(e, id) {
    const step = arrow(e), { x, y } = moving?.id === id ? moving : board.get(id);
    if (step) {
      move({ id, x: x + step[0], y: y + step[1] });
      rest = setTimeout(drop, keysRest);
    } else if (e.key === "Enter" || e.key === "F2") edit(id);
    else if (e.key === "Delete" || e.key === "Backspace") hide(id);
    else return;
    e.preventDefault();
  }

  // move shows a note elsewhere, here and to the others, until drop.
  function move(to) {
    clearTimeout(rest);
    if (moving && moving.id !== to.id) drop();
    moving = to;
    board.live({ x: to.x, y: to.y, note: to });
    place(to);
  }

  function drop() {
    clearTimeout(rest);
    const to = moving;
    moving = null;
    if (to && board.get(to.id)) board.act({ set: to });
  }

  function grab(e, id, box) {
    if (editing?.id === id || e.button || e.target.closest("button")) return;
    if (tool.name === "eraser") return hide(id);
    const from = toBoard(e), { x, y } = board.get(id);
    box.setPointerCapture(e.pointerId);
    box.onpointermove = (e) => {
      const at = toBoard(e), dx = at.x - from.x, dy = at.y - from.y;
      if (moving || Math.hypot(dx, dy) * scale() > 4) move({ id, x: x + dx, y: y + dy });
    };
    box.onpointerup = box.onpointercancel = () => {
      box.onpointermove = box.onpointerup = box.onpointercancel = null;
      drop();
    };
  }

  function edit(id) {
    done();
    const box = boxes.get(id), { text: before = "", v } = board.get(id);
    const area = Object.assign(document.createElement("textarea"), { value: before, maxLength: maxText, ariaLabel: "Text of the note" });
    editing = { id, area };
    box.classList.add("editing");
    box.append(area);
    area.focus();
    area.addEventListener("input", () => (box.querySelector("p").textContent = area.value + "\n ")); // so that it has room
    area.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" && !(e.key === "Enter" && (e.ctrlKey || e.metaKey))) return;
      done();
      box.focus();
    });
    area.addEventListener("blur", () => {
      editing = null;
      box.classList.remove("editing");
      area.remove();
      const text = area.value.trim();
      if (text && text !== before) board.act({ set: { id, text, v } });
      else if (!text && board.get(id)) hide(id);
      else show();
    });
  }

  // done has what is being moved or written be so.
  function done() {
    drop();
    editing?.area.blur();
  }

  function add(x, y) {
    const id = board.newID();
    board.act({ add: { id, color: tool.color === "ink" ? "yellow" : tool.color, x: x - noteWidth / 2, y: y - 20 } });
    edit(id);
  }

  return { show, place, add, done, height: (id) => boxes.get(id)?.offsetHeight };
}
