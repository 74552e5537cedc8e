// The controls are arrow keys or WASD with the space bar, and a stick and a button to
// touch. read says what is held, and whether a dash was asked for since it was last read.
const held = new Set();
const ways = {
  ArrowUp: [0, -1], KeyW: [0, -1], ArrowDown: [0, 1], KeyS: [0, 1],
  ArrowLeft: [-1, 0], KeyA: [-1, 0], ArrowRight: [1, 0], KeyD: [1, 0],
};
let touched = { x: 0, y: 0 }, dash = false;

export function read() {
  let { x, y } = touched;
  for (const key of held) {
    x += ways[key][0];
    y += ways[key][1];
  }
  const out = { ...scaled(x, y), dash };
  dash = false;
  return out;
}

// scaled makes whole numbers in a circle of 127, as the server wants them.
function scaled(x, y) {
  const size = Math.max(1, Math.hypot(x, y));
  return { x: Math.trunc((x / size) * 127), y: Math.trunc((y / size) * 127) };
}

// listen has the keys steer while active() holds, unless something else has the focus that
// takes them.
export function listen(active) {
  addEventListener("keydown", (e) => {
    if (!active() || e.ctrlKey || e.altKey || e.metaKey || e.target.closest?.("input")) return;
    if (ways[e.code]) held.add(e.code);
    else if (e.code === "Space" && !e.target.closest?.("button")) dash ||= !e.repeat;
    else return;
    e.preventDefault();
  });
  addEventListener("keyup", (e) => held.delete(e.code));
  addEventListener("blur", () => held.clear());
}

// touch has an element be a stick, whose knob follows the finger, and another the button.
export function touch(stick, knob, button) {
  let finger = null;
  const follow = (e) => {
    if (e.pointerId !== finger) return;
    const { left, top, width, height } = stick.getBoundingClientRect(), reach = width / 2 - 20;
    const x = (e.clientX - left - width / 2) / reach, y = (e.clientY - top - height / 2) / reach, size = Math.max(1, Math.hypot(x, y));
    touched = { x: x / size, y: y / size };
    knob.style.transform = `translate(${touched.x * reach}px, ${touched.y * reach}px)`;
  };
  const release = (e) => {
    if (e.pointerId !== finger) return;
    finger = null;
    touched = { x: 0, y: 0 };
    knob.style.transform = "";
  };
  stick.addEventListener("pointerdown", (e) => {
    finger ??= e.pointerId;
    stick.setPointerCapture(e.pointerId);
    follow(e);
  });
  stick.addEventListener("pointermove", follow);
  for (const type of ["pointerup", "pointercancel"]) stick.addEventListener(type, release);
  button.addEventListener("pointerdown", (e) => {
    e.preventDefault();
    dash = true;
  });
  button.addEventListener("click", (e) => { if (e.detail === 0) dash = true; }); // by a key
}
