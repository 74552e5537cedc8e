import { client, presence } from "/nextrush.js";

const $ = (id) => document.getElementById(id);
const door = $("door"), app = $("app"), log = $("log"), input = $("say").elements.text;
const entry = door.querySelector("form"), fields = entry.elements;
let chat, who, me, lastSender, lastTyping, wasOpen;
let here; // the names of those whom the log says to be here
let heard; // the offsets of the messages in the log
const typing = new Map(); // when each last typed, by name

// What is written waits for a minute while there is no connection.
const server = client({ buffer: { age: 60_000 }, requestTimeout: 60_000, query: () => ({ name: me }) });

fields.name.value = sessionStorage.getItem("name") || localStorage.getItem("name") || "";
fields.room.value = new URLSearchParams(location.search).get("room") || "general";
entry.addEventListener("submit", (e) => {
  e.preventDefault();
  me = fields.name.value.trim().replace(/\s+/g, " ");
  const room = fields.room.value.trim();
  if (!me || !room) return;
  localStorage.setItem("name", me);
  sessionStorage.setItem("name", me); // the name in this window, for a reload
  history.replaceState(null, "", "?" + new URLSearchParams({ room }));
  $("title").textContent = document.title = "# " + room;
  show(true);
  join(room);
  input.focus();
});

function join(room) {
  here = new Set();
  heard = new Set();
  lastSender = wasOpen = undefined;
  lastTyping = 0;
  typing.clear();
  chat = server.connect("/chat/{room}", { room });
  chat.on("said", hear);
  chat.on("typing", (name) => typing.set(name, Date.now()) && showTyping());
  chat.watch("state", showState);
  chat.watch("gap", missed);
  who = presence(chat.room(room));
  who.watch(showPeople);
  showState();
  showPeople({ sync: true, left: [] });
}

$("leave").addEventListener("click", () => {
  sessionStorage.removeItem("name");
  chat.close();
  $("said").replaceChildren();
  $("waiting").replaceChildren();
  show(false);
  fields.name.focus();
});
$("now").addEventListener("click", () => {
  chat.open();
  input.focus();
});

function show(inside) {
  door.hidden = inside;
  app.hidden = !inside;
}

const words = { idle: "connecting", connecting: "connecting", open: "connected" };
function showState() {
  const { name, until, why } = chat.state;
  if (name === "waiting" && wasOpen) note("Connection lost");
  if (name === "open" && wasOpen === false) note("Connected again");
  if (name === "open" || wasOpen) wasOpen = name === "open";
  $("status").dataset.state = name;
  $("status").textContent = words[name] || (name === "waiting" ? "offline" : why.reason || "not let in");
  $("now").hidden = name !== "waiting";
  if (name === "waiting") $("now").textContent = "Try now (" + Math.max(1, Math.ceil((until - Date.now()) / 1000)) + " s)";
}

$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  const text = input.value.trim();
  if (text) send(text);
  input.value = "";
  lastTyping = 0;
});
input.addEventListener("input", () => {
  if (input.value && Date.now() - lastTyping > 2000 && chat.emit("typing", "", { volatile: true })) lastTyping = Date.now();
});

// send shows a message below the others until it has been said: then it comes back with
// them.
async function send(text) {
  const box = bubble("You, sending", text, "mine waiting");
  $("waiting").append(box);
  atEnd = true;
  follow();
  try {
    await chat.request("say", { text }, { retry: true });
    box.remove();
  } catch (error) {
    const again = document.createElement("button");
    again.textContent = "Send again";
    again.className = "quiet";
    again.onclick = () => box.remove() || send(text) && input.focus();
    box.classList.add("failed");
    box.firstChild.textContent = "Not sent: " + error.message;
    box.append(again);
  }
}

function hear({ name, text }, { at, offset }) {
  if (offset && heard.has(offset)) return;
  heard.add(offset);
  const time = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const kind = (name === me ? "mine" : "") + (name === lastSender ? " next" : "");
  append(bubble((name === me ? "You" : name) + ", " + time, text, kind));
  lastSender = name;
  if (typing.delete(name)) showTyping();
}

// missed tells of a gap. The last messages follow.
function missed({ room, why }) {
  if (!room) return;
  if (why === "epoch") heard.clear();
  note("You may have missed messages: " + (why === "epoch" ? "the server has restarted" : "they are not kept any more"));
}

function bubble(who, text, kind) {
  const box = document.createElement("div");
  box.className = "msg " + kind;
  for (const [name, content] of [["who", who], ["text", text]]) {
    const part = document.createElement("div");
    part.className = name;
    part.textContent = content;
    box.append(part);
  }
  return box;
}

function note(text) {
  const p = document.createElement("div");
  p.className = "note";
  p.textContent = text;
  append(p);
  lastSender = undefined;
}

// Whoever reads the newest message goes on doing so: also when a keyboard appears.
let atEnd = true;
const follow = () => atEnd && (log.scrollTop = log.scrollHeight);
log.addEventListener("scroll", () => { atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40; });
new ResizeObserver(follow).observe(log);

function append(node) {
  $("said").append(node);
  follow();
}

// showPeople lists who is here, and says who has come and gone. After a restart of the
// server all come again: those are given some time before they are said to have left.
function showPeople({ sync, left }) {
  const first = here.size === 0, names = [...who.members.keys()].sort();
  for (const name of names) {
    if (!first && !here.has(name)) note(name + " joined");
    here.add(name);
  }
  const list = here;
  const leave = (gone) => {
    for (const name of gone) if (list === here && !who.members.has(name) && here.delete(name)) note(name + " left");
  };
  if (sync) setTimeout(() => leave([...list]), 30_000);
  else leave(left);
  $("count").textContent = who.count === 1 ? "1 person here" : who.count + " people here";
  $("people").replaceChildren(...names.map((name) => {
    const li = document.createElement("li"), face = document.createElement("span");
    let hue = 0;
    for (const ch of name) hue = (hue * 31 + ch.codePointAt(0)) % 360;
    face.className = "face";
    face.ariaHidden = true;
    face.style.background = "hsl(" + hue + " 45% 32%)";
    face.textContent = [...name][0].toUpperCase();
    li.append(face, name + (name === me ? " (you)" : ""));
    return li;
  }));
}

function showTyping() {
  for (const [name, at] of typing) if (Date.now() - at > 5000) typing.delete(name);
  const names = [...typing.keys()];
  $("typing").textContent = names.length === 0 ? "" : names.join(", ") + (names.length === 1 ? " is typing" : " are typing");
}

setInterval(() => {
  showTyping();
  if (chat?.state.name === "waiting") showState();
}, 1000);

if (sessionStorage.getItem("name")) entry.requestSubmit();
