const $ = id => document.getElementById(id);

function show(n) {
  const li = document.createElement("li"), small = document.createElement("small");
  small.textContent = n.by + ", " + new Date(n.at).toLocaleTimeString();
  li.append(n.text, small);
  $("notes").prepend(li);
}

function connect() {
  const ws = new WebSocket(location.origin.replace(/^http/, "ws") + "/feed"); // with the cookie
  ws.onmessage = m => {
    const e = JSON.parse(m.data);
    if (e.event === "welcome") $("status").textContent = "New notes appear by themselves.";
    if (e.event === "note") show(e.data[0]);
    if (e.event === "cleared") $("notes").replaceChildren();
  };
  ws.onclose = e => {
    if (e.code === 4401) return location.reload(); // the login has expired
    $("status").textContent = "Not connected. Reload to try again.";
  };
}

$("write").onsubmit = async e => {
  e.preventDefault();
  const r = await fetch("/api/notes", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({text: $("text").value}),
  });
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
  for (const n of await (await fetch("/api/notes")).json()) show(n);
  connect();
}
start();
