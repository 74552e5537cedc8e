const log = document.getElementById("log"), text = document.getElementById("text");
let socket, times = 0;
function line(kind, s) {
  const e = document.createElement("div");
  e.className = kind;
  e.textContent = s;
  log.append(e);
  log.scrollTop = log.scrollHeight;
}
function connect() {
  if (socket) socket.close();
  socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/echo?reconnect=" + times++);
  socket.onopen = () => line("info", "connected");
  socket.onmessage = (e) => line(JSON.parse(e.data).type === "error" ? "err" : "in", "← " + e.data);
  socket.onclose = (e) => line("info", "closed with " + e.code);
}
function send(m) {
  if (socket.readyState !== WebSocket.OPEN) return line("err", "not connected");
  const s = JSON.stringify(m);
  line("out", "→ " + s);
  socket.send(s);
}
document.getElementById("form").onsubmit = (e) => { e.preventDefault(); send({ type: "echo", text: text.value }); };
document.getElementById("ping").onclick = () => send({ type: "ping", timestamp: Date.now() });
document.getElementById("unknown").onclick = () => send({ type: "nonsense" });
document.getElementById("again").onclick = connect;
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
connect();
stats();
setInterval(stats, 2000);
