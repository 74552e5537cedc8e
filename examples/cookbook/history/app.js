import { connect } from "/nextrush.js";

const $ = (id) => document.getElementById(id);
const name = new URLSearchParams(location.search).get("log") || "ship";
const log = connect("/logs/{name}", { name });
$("title").textContent = "Log: " + name;

log.on("entry", ({ text }, { at, replayed }) => {
  const li = document.createElement("li"), time = document.createElement("small");
  time.textContent = new Date(at).toLocaleString() + (replayed ? "" : ", just now");
  li.append(text, time);
  $("entries").prepend(li);
  while ($("entries").children.length > 50) $("entries").lastChild.remove();
});
// What was missed cannot be had: more than fifty entries, or those of a server that has
// restarted. The last ones follow.
log.watch("gap", ({ room, why }) => {
  if (!room) return; // of what is sent to this page alone, which is nothing
  $("gap").textContent = why === "epoch" ? "The log has begun anew." : "Entries before these are not kept any more.";
  $("entries").replaceChildren();
});
log.watch("state", ({ name, why }) => {
  $("state").textContent = name === "open" ? "connected" : name === "closed" ? why.reason : "connecting";
});
$("write").onsubmit = (e) => {
  e.preventDefault();
  if (log.emit("write", { text: $("text").value })) $("write").reset();
};
