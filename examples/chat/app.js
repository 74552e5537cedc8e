const $ = (id) => document.getElementById(id);
const door = $("door"), app = $("app"), log = $("log"), say = $("say").elements.text;
const entry = door.querySelector("form"), fields = entry.elements;
let socket, me, name, room, timer, lastSender, attempts = 0;
let people = new Map(), counted = false; // names by id; whether the server has sent them
const typing = new Map(); // when each last typed, by id

fields.name.value = sessionStorage.getItem("name") || localStorage.getItem("name") || "";
fields.room.value = new URLSearchParams(location.search).get("room") || "general";
entry.addEventListener("submit", (e) => {
  e.preventDefault();
  name = fields.name.value.trim();
  room = fields.room.value.trim();
  if (!name || !room) return;
  localStorage.setItem("name", name);
  sessionStorage.setItem("name", name); // the name in this window, for a reload
  history.replaceState(null, "", "?" + new URLSearchParams({ room }));
  door.hidden = true;
  app.hidden = false;
  $("title").textContent = document.title = "# " + room;
  for (const m of seen()) message(m);
  connect();
  say.focus();
});
$("leave").addEventListener("click", () => {
  clearTimeout(timer);
  sessionStorage.removeItem("name");
  const left = socket;
  socket = undefined;
  left.close();
  gone();
  attempts = 0;
  log.replaceChildren();
  app.hidden = true;
  door.hidden = false;
  fields.name.focus();
});

function connect() {
  const params = new URLSearchParams({ name });
  if (attempts > 0) params.set("reconnect", attempts);
  status("connecting", attempts ? "reconnecting" : "connecting");
  const ws = new WebSocket(location.origin.replace("http", "ws") + "/chat/" + encodeURIComponent(room) + "?" + params);
  socket = ws;
  ws.onopen = () => {
    note(attempts ? "Connected again" : "You joined. You do not see what was said before.");
    attempts = 0;
    status("open", "connected");
  };
  ws.onmessage = (e) => receive(JSON.parse(e.data));
  ws.onclose = (e) => {
    if (ws !== socket) return; // left
    gone();
    if (e.code === 1008) {
      note(e.reason || "The server refused");
      return status("closed", "refused");
    }
    if (attempts === 0) note("Connection lost");
    // Full jitter: each client waits for a different time, so that they do not all return at once.
    const wait = Math.random() * Math.min(15000, 500 * 2 ** attempts) + 100;
    attempts++;
    status("closed", "reconnecting in " + Math.max(1, Math.round(wait / 1000)) + " s");
    timer = setTimeout(connect, wait);
  };
}

function emit(event, data) {
  if (socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify({ type: "event", event, data: [data] }));
  return true;
}

function receive(m) {
  if (m.type === "error") return note(m.message);
  if (m.type !== "event") return;
  const data = m.data[0];
  if (m.event === "welcome") me = data.id;
  if (m.event === "people") arrived(data);
  if (m.event === "chat") {
    const said = { ...data, name: label(data.id, people, data.name), mine: data.id === me };
    message(said);
    sessionStorage.setItem("# " + room, JSON.stringify([...seen(), said].slice(-100)));
    typing.delete(data.id);
    showTyping();
  }
  if (m.event === "typing") {
    data.typing ? typing.set(data.id, Date.now()) : typing.delete(data.id);
    showTyping();
  }
}

// seen returns the messages that this window has seen in the room, for a reload.
const seen = () => JSON.parse(sessionStorage.getItem("# " + room) || "[]");

function message(m) {
  const box = document.createElement("div"), who = document.createElement("div"), text = document.createElement("div");
  box.className = "msg" + (m.mine ? " mine" : "") + (m.id === lastSender ? " next" : "");
  who.className = "who";
  who.textContent = (m.mine ? "You" : m.name) + ", " +
    new Date(m.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  text.className = "text";
  text.textContent = m.text;
  box.append(who, text);
  append(box);
  lastSender = m.id;
}

function note(text) {
  const p = document.createElement("div");
  p.className = "note";
  p.textContent = text;
  append(p);
  lastSender = undefined;
}

function append(node) {
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
  log.append(node);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// label is a name, followed by the start of the id if others have the same name.
function label(id, among, name = among.get(id)) {
  const others = [...among].some(([other, n]) => n === name && other !== id);
  return others ? name + " #" + id.slice(0, 4) : name;
}

// arrived says who has joined and left since the last list.
function arrived(list) {
  const before = people;
  people = new Map(list.map((p) => [p.id, p.name]));
  if (counted) {
    for (const id of people.keys()) if (!before.has(id)) note(label(id, people) + " joined");
    for (const id of before.keys()) if (!people.has(id)) note(label(id, before) + " left");
  }
  counted = true;
  showPeople();
  showTyping();
}

function gone() {
  people = new Map();
  counted = false;
  showPeople();
  showTyping();
}

function showPeople() {
  $("count").textContent = people.size === 1 ? "1 person here" : people.size + " people here";
  $("people").replaceChildren(...[...people].map(([id, name]) => {
    const li = document.createElement("li"), face = document.createElement("span");
    let hue = 0;
    for (const ch of id) hue = (hue * 31 + ch.codePointAt(0)) % 360;
    face.className = "face";
    face.ariaHidden = true;
    face.style.background = "hsl(" + hue + " 45% 32%)";
    face.textContent = [...name][0].toUpperCase();
    li.append(face, label(id, people) + (id === me ? " (you)" : ""));
    return li;
  }));
}

function showTyping() {
  for (const [id, at] of typing) if (!people.has(id) || Date.now() - at > 6000) typing.delete(id);
  const names = [...typing.keys()].map((id) => label(id, people));
  $("typing").textContent = names.length === 0 ? "" : names.join(", ") + (names.length === 1 ? " is typing" : " are typing");
}
setInterval(showTyping, 2000);

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
  $("say").querySelector("button").disabled = state !== "open";
}

let lastTyping = 0;
say.addEventListener("input", () => {
  const now = Date.now();
  if (say.value && now - lastTyping > 2000) {
    lastTyping = now;
    emit("typing", { typing: true });
  }
});
$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  const text = say.value.trim();
  if (text && emit("chat", { text })) {
    say.value = "";
    lastTyping = 0;
  }
});

if (sessionStorage.getItem("name")) entry.requestSubmit();
