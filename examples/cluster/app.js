import { client } from "/nextrush.js";

const $ = (id) => document.getElementById(id);
const nodes = new Map(); // what each has said of itself last, and when
let on = ""; // the node that this page is connected to

const { connect } = client({ buffer: { age: 60_000 } });
const chat = connect("/ws");
chat.on("on", (name) => { on = name; show(); });
chat.on("node", (news) => { nodes.set(news.name, { ...news, at: Date.now() }); show(); });
chat.on("said", ({ text, node }) => add("message", text, "by way of " + node));
chat.watch("state", show);
chat.watch("gap", ({ room }) => room && add("note", "Some messages are not kept any more"));

$("say").addEventListener("submit", async (e) => {
  e.preventDefault();
  const { text } = e.target.elements, said = text.value.trim();
  text.value = "";
  if (!said) return;
  try {
    await chat.request("say", { text: said }); // waits while there is no connection
  } catch (error) {
    add("note", "It is not known whether this was said: " + said + " (" + error.message + ")");
  }
});
$("kill").addEventListener("click", () => chat.emit("kill", { volatile: true }));

function show() {
  const open = chat.state.name === "open";
  $("status").textContent = open && on ? "on " + on : "looking for another node";
  $("status").dataset.open = open;
  $("kill").disabled = !open;
  const list = [...nodes.values()].sort((a, b) => a.name.localeCompare(b.name));
  $("nodes").replaceChildren(...list.map(({ name, sockets, at }) => {
    const li = document.createElement("li"), alive = Date.now() - at < 3500;
    li.dataset.alive = alive;
    li.dataset.here = open && name === on;
    li.textContent = name + (alive ? ": " + sockets + (sockets === 1 ? " socket" : " sockets") : ": gone");
    return li;
  }));
}

function add(kind, text, from) {
  const p = document.createElement("p");
  p.className = kind;
  p.textContent = text;
  if (from) {
    const small = document.createElement("small");
    small.textContent = from;
    p.append(" ", small);
  }
  $("log").append(p);
  $("log").scrollTop = $("log").scrollHeight;
}

setInterval(show, 1000);
