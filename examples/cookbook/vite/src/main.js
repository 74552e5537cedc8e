import { connect } from "nextrush-client";

const socket = connect("/ws");
socket.on("said", (text) => {
  document.getElementById("said").textContent = text;
});
socket.emit("say", "Hello over the socket");

const answer = await fetch("/api/hello");
document.getElementById("hello").textContent = await answer.json();
