import { connect } from "/nextrush.js";

connect("/ws").on("visitor", (text) => {
  document.getElementById("visitor").textContent = text;
});
