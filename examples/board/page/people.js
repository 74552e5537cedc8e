const $ = (id) => document.getElementById(id);
const names = ["Otter", "Heron", "Fox", "Lynx", "Crane", "Moth", "Newt", "Wren"];

// kept is what the browser keeps under a name, or what make makes.
export function kept(storage, name, make) {
  if (!storage.getItem(name)) storage.setItem(name, make());
  return storage.getItem(name);
}

// newPeople shows who is at the board, where their cursors are, and whether we are there.
export function newPeople({ who, socket, pending }, me) {
  const cursors = new Map(); // by user
  const mine = $("name");

  function introduce() {
    mine.value = mine.value.trim() || names[0];
    localStorage.setItem("name", mine.value);
    who.set({ name: mine.value });
  }
  mine.value = kept(localStorage, "name", () => names[Math.floor(Math.random() * names.length)]);
  mine.addEventListener("change", introduce);
  introduce();
  $("now").addEventListener("click", () => socket.open());

  function nameOf(user) {
    return user === me ? "you" : String(who.members.get(user)?.data?.name || "somebody").slice(0, 24);
  }

  function colorOf(user) {
    let hue = 0;
    for (const c of user) hue = (hue * 31 + c.codePointAt(0)) % 360;
    return `hsl(${hue} 50% 29%)`;
  }

  function show({ left }) {
    for (const user of left) {
      cursors.get(user)?.remove();
      cursors.delete(user);
    }
    const users = [...who.members.keys()].sort((a, b) => (b === me) - (a === me));
    $("people").replaceChildren(...users.map((user) => {
      const name = user === me ? mine.value + " (you)" : nameOf(user);
      const li = Object.assign(document.createElement("li"), { title: name, ariaLabel: name, textContent: [...name][0].toUpperCase() });
      li.style.background = colorOf(user);
      return li;
    }));
    for (const [user, box] of cursors) box.dataset.name = nameOf(user);
    showState();
  }

  function showState() {
    const { name, why } = socket.state, count = who.count;
    const waiting = pending() ? `, ${pending()} to send` : "";
    const words = { open: count === 1 ? "1 person" : count + " people", waiting: "offline" + waiting, closed: why?.reason || "closed" };
    $("status").dataset.state = name;
    $("status").textContent = words[name] || "connecting" + waiting;
    $("now").hidden = name !== "waiting" && name !== "closed";
  }

  // point shows the cursor of somebody, or hides it.
  function point(user, x, y) {
    const box = cursors.get(user) || newCursor(user);
    box.hidden = x === undefined;
    box.style.setProperty("--x", x + "px");
    box.style.setProperty("--y", y + "px");
  }

  function newCursor(user) {
    const box = document.createElement("div");
    box.dataset.name = nameOf(user);
    box.style.setProperty("--color", colorOf(user));
    cursors.set(user, box);
    $("cursors").append(box);
    return box;
  }

  return { show, showState, point, nameOf };
}
