import { connect } from "/nextrush.js";

const $ = (id) => document.getElementById(id);
const socket = connect("/jobs");
const rows = new Map(); // by id

socket.on("job", ({ id, percent, state }) => {
  const row = rows.get(id) || add(id);
  row.querySelector("progress").value = percent;
  row.querySelector("span").textContent = "Job " + id + ": " + (state === "running" ? percent + " %" : state);
});
socket.watch("state", ({ name, why, resumed }) => {
  $("state").textContent = name === "open" ? "connected" : name === "closed" ? why.reason + ": reload the page" : "connecting";
  if (name === "open" && !resumed) clear(); // all jobs are sent again
});

function add(id) {
  const row = document.createElement("li"), label = document.createElement("span"), bar = document.createElement("progress");
  bar.max = 100;
  bar.ariaLabel = "Job " + id;
  row.append(label, bar);
  $("jobs").prepend(row);
  rows.set(id, row);
  return row;
}

function clear() {
  rows.clear();
  $("jobs").replaceChildren();
}

$("start").onclick = async () => {
  const answer = await fetch("/jobs", { method: "POST" }).catch(() => null);
  const problem = answer?.ok ? null : await answer?.json().catch(() => null);
  $("problem").textContent = answer?.ok ? "" : problem?.detail || "That did not work. Try again.";
};
