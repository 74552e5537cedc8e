const state = document.getElementById("state"), text = document.getElementById("text");
const events = new EventSource("/events"); // reconnects by itself, and sends the id of the last event
events.onopen = () => state.textContent = "connected";
events.onerror = () => state.textContent = "connection lost, trying again";
events.addEventListener("news", (e) => {
  const item = JSON.parse(e.data), li = document.createElement("li"), at = document.createElement("time");
  at.textContent = new Date(item.at).toLocaleTimeString();
  li.append(at, item.text);
  document.getElementById("news").prepend(li);
});
document.getElementById("form").onsubmit = async (e) => {
  e.preventDefault();
  const answer = await fetch("/news", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({text: text.value}),
  });
  if (answer.ok) text.value = "";
  else state.textContent = "not posted: " + answer.status;
};
