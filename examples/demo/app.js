import { connect } from "/nextrush.js";

const log = document.getElementById("log"), text = document.getElementById("text");
let times = 0;
function line(kind, s) {
  const e = document.createElement("div");
  e.className = kind;
  e.textContent = s;
  log.append(e);
  log.scrollTop = log.scrollHeight;
}
// The messages are the demo's own, and so are their types: plain leaves out the client's.
const socket = connect("/echo", { plain: true, query: () => ({ reconnect: times++ }) });
socket.watch("frame", ({ out, text }) => {
  if (out) return line("out", "→ " + text);
  line(JSON.parse(text).type === "error" ? "err" : "in", "← " + text);
});
socket.watch("state", ({ name, until, why }) => {
  if (name === "open") line("info", "connected");
  if (name === "waiting") line("info", "closed with " + why.code + ", next try in " + ((until - Date.now()) / 1000).toFixed(1) + " s");
  if (name === "closed") line("info", "closed");
});
socket.watch("dropped", () => line("err", "a message was not sent"));
function send(m) {
  if (socket.state.name !== "open") line("info", "this waits for the connection");
  socket.send(JSON.stringify(m));
}
document.getElementById("form").onsubmit = (e) => { e.preventDefault(); send({ type: "echo", text: text.value }); };
document.getElementById("ping").onclick = () => send({ type: "ping", timestamp: Date.now() });
document.getElementById("unknown").onclick = () => send({ type: "nonsense" });
document.getElementById("again").onclick = () => socket.close().then(() => socket.open());
async function stats() {
  try {
    const s = await (await fetch("/api/websocket/stats")).json();
    const keys = ["connections", "totalConnections", "messagesSent", "messagesReceived", "rooms", "uptime",
      "bytesReceived", "bytesSent", "errors", "reconnections"];
    document.getElementById("stats").replaceChildren(...keys.flatMap((k) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = k.replace(/[A-Z]/g, (c) => " " + c.toLowerCase());
      dd.textContent = s[k];
      return [dt, dd];
    }));
  } catch { /* the server is away; the next round tries again */ }
}
stats();
setInterval(stats, 2000);
