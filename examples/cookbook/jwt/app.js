import { connect } from "/nextrush.js";

const $ = (id) => document.getElementById(id);
let token = null; // in the memory of this page alone

// ask posts a request and takes the token of its answer; null: it was refused.
async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = "Bearer " + token;
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error("status " + answer.status);
  return (await answer.json()).token;
}

$("door").onsubmit = async (e) => {
  e.preventDefault();
  try {
    token = null;
    token = await ask("/login", { name: $("name").value, password: $("password").value });
    say(token ? "" : "Wrong name or password.");
    if (token) enter();
  } catch {
    say("That did not work. Try again later.");
  }
};

function enter() {
  let renewed = 0;
  const chat = connect("/chat", {
    auth: async (why) => {
      if (why === "expired") return null; // too late: somebody has to log in
      if (why === "expiring") {
        const next = await ask("/renew", {});
        if (!next) return null;
        token = next;
        $("renewed").textContent = "The token was renewed: " + ++renewed;
      }
      return token;
    },
  });
  chat.on("said", ({ from, text }) => {
    const p = document.createElement("p");
    p.textContent = from + ": " + text;
    $("log").append(p);
  });
  chat.watch("state", ({ name }) => {
    if (name === "closed" && token) leave("Your login has ended.");
    $("state").textContent = name === "open" ? "connected" : "connecting";
  });
  $("say").onsubmit = (e) => {
    e.preventDefault();
    if (chat.emit("say", { text: $("text").value })) $("say").reset();
  };
  $("leave").onclick = () => {
    leave("");
    chat.close();
  };
  $("door").hidden = true;
  $("chat").hidden = false;
}

function leave(text) {
  token = null;
  $("password").value = "";
  $("door").hidden = false;
  $("chat").hidden = true;
  say(text);
}

function say(text) {
  $("problem").textContent = text;
}
