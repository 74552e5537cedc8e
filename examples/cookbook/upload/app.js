const $ = (id) => document.getElementById(id);
const max = 20 * 2 ** 20; // bytes, as on the server

$("form").onsubmit = (e) => {
  e.preventDefault();
  const file = $("file").files[0];
  if (file.size > max) say("This file has more than 20 MiB."); // nothing is sent
  else send(file);
};

// send uses XMLHttpRequest: fetch does not report the progress of what it sends.
function send(file) {
  const request = new XMLHttpRequest(), form = new FormData();
  form.append("file", file);
  request.upload.onprogress = ({ loaded, total }) => {
    $("progress").value = loaded / total;
    say("Sending: " + Math.floor(100 * loaded / total) + " %");
  };
  request.onload = () => {
    const answer = request.response;
    if (request.status === 201) say("Kept as " + answer.name);
    else if (request.status === 413) say("The server takes no file of this size.");
    else say("Refused: " + (answer?.detail || answer?.title || request.status));
  };
  request.onerror = () => say("The connection was lost. Try again.");
  request.onabort = () => say("Stopped.");
  request.onloadend = () => busy(false);
  request.open("POST", "/files");
  request.responseType = "json";
  $("stop").onclick = () => request.abort();
  busy(true);
  request.send(form);
}

function busy(sending) {
  $("progress").hidden = $("stop").hidden = !sending;
  $("send").disabled = sending;
}

function say(text) {
  $("state").textContent = text;
}
