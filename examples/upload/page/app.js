const $ = (id) => document.getElementById(id);
const drop = $("drop"), progress = $("progress");

function say(text, bad = false) {
  $("state").textContent = text;
  $("state").classList.toggle("bad", bad);
}

function show(picture) {
  const item = document.createElement("li"), link = document.createElement("a");
  const image = document.createElement("img"), size = document.createElement("span");
  link.href = image.src = picture.url;
  image.alt = picture.name;
  image.loading = "lazy";
  size.textContent = Math.ceil(picture.size / 1024) + " KiB";
  link.append(image, size);
  item.append(link);
  $("pictures").prepend(item);
}

// send uses XMLHttpRequest, which reports the progress of an upload.
function send(files) {
  if (files.length === 0) return;
  const form = new FormData(), request = new XMLHttpRequest();
  for (const file of files) form.append("picture", file);
  request.upload.onprogress = (e) => { progress.value = e.loaded / e.total; };
  request.onloadend = () => {
    progress.hidden = true;
    $("form").reset();
    const answer = request.response;
    if (request.status === 201) {
      answer.forEach(show);
      say(answer.length === 1 ? "1 picture added" : answer.length + " pictures added");
    } else {
      say(problem(request.status, answer), true);
    }
  };
  request.open("POST", "/pictures");
  request.responseType = "json";
  progress.value = 0;
  progress.hidden = false;
  say("");
  request.send(form);
}

// problem puts an application/problem+json answer (RFC 9457) into words.
function problem(status, answer) {
  if (!answer) return status ? "Not uploaded: status " + status : "Not uploaded: the connection broke";
  const fields = (answer.errors || []).map((e) => e.message).join("; ");
  return "Not uploaded: " + (fields || answer.detail || answer.title);
}

$("files").onchange = (e) => send(e.target.files);
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (e) => {
    e.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") send(e.dataTransfer.files);
  });
}

fetch("/pictures").then((r) => r.json()).then((all) => all.reverse().forEach(show));
