import { connect } from "/nextrush.js";
import { listen, read, touch } from "./controls.js";
import { color, draw } from "./draw.js";
import { Game } from "./game.js";

const $ = (id) => document.getElementById(id);
const door = $("door"), form = door.querySelector("form"), name = form.elements.name, canvas = $("field");
export let game = null; // for tests, which look at what is shown
let match = "", watching = false, scene = null;

// The session outlives a lost connection and a reload: the ship is still ours. What we
// did long ago is not worth sending.
const socket = connect("/play", { lazy: true, sessionKey: "game", query: () => ({ match }), buffer: { age: 250 } });

// ---- the door

name.value = sessionStorage.getItem("name") || localStorage.getItem("name") || "";
const invited = () => decodeURIComponent(location.hash.slice(1)).toLowerCase().replace(/[^a-z0-9-]+/g, "-").slice(0, 32);
const random = () => Array.from(crypto.getRandomValues(new Uint8Array(5)), (b) => (b % 36).toString(36)).join("");

function greet() {
  $("quick").textContent = invited() ? "Join " + invited() : "Quick match";
  $("private").hidden = !!invited();
}
addEventListener("hashchange", () => door.hidden || greet());

form.addEventListener("submit", (e) => {
  e.preventDefault();
  const by = e.submitter?.id, own = name.value.trim();
  if (!own) return;
  localStorage.setItem("name", own);
  sessionStorage.setItem("name", own); // the name in this window, for a reload
  match = by === "private" ? random() : invited();
  enter(by === "look");
});

function enter(watch) {
  watching = watch;
  sessionStorage.setItem("watching", watch ? "1" : "");
  game = new Game();
  $("why").textContent = $("news").textContent = "";
  door.hidden = true;
  $("app").hidden = false;
  canvas.focus();
  socket.open();
}

function leave(why = "") {
  for (const key of ["name", "watching"]) sessionStorage.removeItem(key);
  history.replaceState(null, "", location.pathname);
  game = null;
  $("app").hidden = true;
  door.hidden = false;
  greet();
  $("why").textContent = why;
  name.focus();
}

// ---- the socket

const words = { idle: "Connecting", connecting: "Connecting", open: "", waiting: "Connection lost" };
socket.watch("state", (s) => {
  if (!game) return;
  if (s.name === "closed") return leave(s.why.reason || "The connection is closed");
  $("status").textContent = words[s.name];
  if (s.name !== "open") return;
  if (!s.resumed) game = new Game();
  sit();
});
socket.watch("message", (data) => {
  if (data instanceof ArrayBuffer) game?.receive(data, performance.now());
});
socket.on("players", (list) => {
  if (game) game.names = new Map(list.map(({ seat, name, bot }) => [seat, bot ? name + " (bot)" : name]));
});

// sit asks for a seat, or for the one that we have had; or gives it back.
async function sit() {
  try {
    const now = game, answer = await socket.request("enter", { name: name.value.trim(), watch: watching });
    if (game !== now) return;
    game.seat = answer.seat;
    match = answer.match;
    history.replaceState(null, "", "#" + match);
    $("title").textContent = match.startsWith("open-") ? "Open match" : "Match " + match;
    document.title = $("title").textContent + " – Gem Rush";
    if (answer.seat < 0 && !watching) $("status").textContent = "All seats are taken";
    $("turn").textContent = answer.seat < 0 ? "Play" : "Watch";
  } catch (error) {
    if (error.name === "RequestError") socket.close(1000, error.message);
  }
}

$("leave").addEventListener("click", () => {
  socket.close();
  leave();
});
$("turn").addEventListener("click", () => {
  watching = game.seat >= 0;
  sessionStorage.setItem("watching", watching ? "1" : "");
  $("status").textContent = "";
  canvas.focus();
  sit();
});
$("share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    $("status").textContent = "Link copied";
  } catch {
    $("status").textContent = location.href;
  }
  setTimeout(() => ($("status").textContent = words[socket.state.name] || ""), 2000);
});

// ---- what is shown

listen(() => game && door.hidden);
touch($("stick"), $("knob"), $("dash"));

function frame(now) {
  requestAnimationFrame(frame);
  if (!game) return;
  scene = game.frame(now, read, (data) => socket.state.name === "open" && socket.send(data));
  draw(canvas, scene, now);
}
requestAnimationFrame(frame);

const ranks = ["first", "second", "third"];
let said = "";
setInterval(() => scene && game && showScores(scene.newest), 250);
setInterval(() => scene && game && tell(scene.newest), 5000);

const standing = ({ players }) => [...players].map(([seat, { score }]) => ({ seat, score, name: game.names.get(seat) || "" })).sort((a, b) => b.score - a.score);

function showScores(newest) {
  const list = standing(newest), seconds = Math.ceil(newest.left / 30);
  $("time").textContent = newest.pausing ? "" : Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
  $("scores").replaceChildren(...list.map(({ seat, score, name }) => {
    const li = document.createElement("li"), dot = document.createElement("i"), who = document.createElement("span"), gems = document.createElement("b");
    dot.style.background = color(seat);
    who.textContent = name;
    gems.textContent = score;
    if (seat === game.seat) li.className = "own";
    li.append(dot, who, gems);
    return li;
  }));
  $("banner").hidden = !newest.pausing;
  if (newest.pausing) $("banner").textContent = winner(list) + "\nNext round in " + seconds + " s";
}

function winner([first, second]) {
  if (!first?.score) return "Nobody has won";
  if (first.score === second?.score) return "A draw, with " + first.score + " gems each";
  return (first.seat === game.seat ? "You win" : first.name + " wins") + " with " + first.score + (first.score === 1 ? " gem" : " gems");
}

// tell says how it stands, to whom does not see it: when that has changed, and not often.
function tell(newest) {
  const list = standing(newest), place = list.findIndex(({ seat }) => seat === game.seat);
  let text = newest.pausing ? winner(list) : "";
  if (!text && place >= 0) text = `${list[place].score} gems, ${ranks[place] || place + 1 + "th"} of ${list.length}`;
  if (text !== said) $("news").textContent = said = text;
}

greet();
if (sessionStorage.getItem("name") && invited()) {
  match = invited();
  enter(sessionStorage.getItem("watching") === "1");
}
