import { connect } from "/nextrush.js";

const $ = id => document.getElementById(id);
const feed = connect("/feed", {lazy: true}); // with the cookie

function show(n) {
  const li = document.createElement("li"), small = document.createElement("small");
  small.textContent = n.by + ", " + new Date(n.at).toLocaleTimeString();
  li.append(n.text, small);
  $("notes").prepend(li);
}

// load shows all notes; the feed goes on from there. If it fails, a connection has been
// lost, and the next one loads them.
async function load() {
  try {
    const {notes, position} = await (await fetch("/api/notes")).json();
    $("notes").replaceChildren();
    notes.forEach(show);
    feed.room("notes").since(position);
  } catch (error) {
    console.warn(error);
  }
}

feed.on("note", show);
feed.on("cleared", () => $("notes").replaceChildren());
feed.watch("state", ({name, why, resumed}) => {
  if (name === "closed" && (why.code === 4401 || why.status === 401)) return location.reload(); // the login has expired
  if (name === "open" && !resumed) load();
  $("status").textContent = name === "open" ? "New notes appear by themselves." :
    name === "closed" ? "Not connected: " + why.reason : "Connecting. New notes appear as soon as there is a connection.";
});

$("write").onsubmit = async e => {
  e.preventDefault();
  const r = await fetch("/api/notes", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({text: $("text").value}),
  }).catch(() => ({status: "no connection"}));
  $("error").textContent = r.ok ? "" : r.status === 403 ? "You may read, not write." : "That did not work: " + r.status;
  if (r.ok) $("text").value = "";
};

async function start() {
  const me = await (await fetch("/api/me")).json(); // null: nobody has logged in
  $("door").hidden = !!me;
  $("board").hidden = !me;
  $("failed").hidden = !location.search.includes("failed");
  if (!me) return;
  $("who").textContent = me.id;
  await load();
  feed.open();
}
start();
