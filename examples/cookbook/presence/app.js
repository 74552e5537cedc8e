import { connect, presence } from "/nextrush.js";

const $ = (id) => document.getElementById(id);

$("enter").onsubmit = (e) => {
  e.preventDefault();
  $("enter").hidden = true;
  $("here").hidden = false;
  const name = $("name").value.trim(), socket = connect("/here", { query: { name } });
  const who = presence(socket.room("page"));
  const tell = () => who.set({ away: document.hidden }); // what the others see beside the name
  document.addEventListener("visibilitychange", tell);
  tell();
  who.watch(({ joined, left, sync }) => {
    $("count").textContent = who.count === 1 ? "Nobody else is here." : who.count + " people are here.";
    $("people").replaceChildren(...[...who.members].sort().map(([name, { data }]) => {
      const li = document.createElement("li");
      li.textContent = name + (data?.away ? ", away" : "");
      return li;
    }));
    if (!sync) $("news").textContent = [...joined.map((n) => n + " has come"), ...left.map((n) => n + " has gone")].join(", ");
  });
  socket.watch("state", ({ name, why }) => {
    $("state").textContent = name === "open" ? "connected" : name === "closed" ? why.reason : "connecting";
  });
};
