import { connect, presence } from "/nextrush.js";

const $ = (id) => document.getElementById(id);
const me = await (await fetch("/me")).json(); // null: nobody has logged in
$("door").hidden = me !== null;
$("chat").hidden = me === null;
$("failed").hidden = !location.search.includes("failed");
if (me) enter();

function enter() {
  const chat = connect("/chat"), lobby = chat.room("lobby"), who = presence(lobby);
  who.watch(() => { $("people").textContent = [...who.members.keys()].sort().join(", "); });
  chat.on("said", ({ from, text }, { at }) => line(from, text, at));
  chat.watch("gap", ({ room }) => room && line("", "What was said meanwhile is not kept any more.")); // the last fifty follow
  chat.watch("dropped", () => line("", "A message was not sent."));
  chat.watch("state", ({ name, why }) => {
    if (name === "closed" && (why.code === 4401 || why.status === 401)) location.reload(); // the login has ended
    $("state").textContent = name === "open" ? "connected" : name === "closed" ? why.reason : "connecting";
  });
  $("say").onsubmit = (e) => {
    e.preventDefault();
    if (chat.emit("say", { text: $("text").value })) $("say").reset();
  };
}

function line(from, text, at) {
  const p = document.createElement("p"), name = document.createElement("b"), time = document.createElement("small");
  name.textContent = from;
  time.textContent = at ? new Date(at).toLocaleTimeString() : "";
  p.append(name, " ", text, " ", time);
  $("log").append(p);
  p.scrollIntoView();
}
