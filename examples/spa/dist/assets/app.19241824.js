const main = document.querySelector("main");

// el makes an element: its properties, then what is in it.
function el(name, properties, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

async function api(path, body) {
  const options = body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch("/api" + path, options);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.detail || value.title); // application/problem+json, RFC 9457
  return value;
}

async function notes() {
  const all = await api("/notes");
  const items = all.reverse().map((n) => el("li", {}, el("a", { href: "/notes/" + n.id, textContent: n.title })));
  const rest = items.length ? el("ul", {}, ...items) : el("p", { className: "soft", textContent: "There are none yet." });
  return [el("h1", { textContent: "Notes" }), rest];
}

async function note(id) {
  const n = await api("/notes/" + encodeURIComponent(id));
  return [el("h1", { textContent: n.title }), el("p", { textContent: n.text })];
}

function write() {
  const title = el("input", { required: true, maxLength: 100, placeholder: "Title", ariaLabel: "Title" });
  const text = el("textarea", { maxLength: 10000, placeholder: "Text", ariaLabel: "Text" });
  const failed = el("p", { className: "bad", role: "alert" });
  const form = el("form", {}, title, text, el("button", { textContent: "Save" }), failed);
  form.onsubmit = async (e) => {
    e.preventDefault();
    try {
      const saved = await api("/notes", { title: title.value, text: text.value });
      go("/notes/" + saved.id);
    } catch (err) {
      failed.textContent = "Not saved: " + err.message;
    }
  };
  return [el("h1", { textContent: "A new note" }), form];
}

const routes = [
  [/^\/$/, notes],
  [/^\/new$/, write],
  [/^\/notes\/([^/]+)$/, note],
];

// render shows the page of the address. One that was left meanwhile is dropped.
async function render(turned) {
  const path = location.pathname;
  for (const a of document.querySelectorAll("nav a")) {
    if (a.pathname === path) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  let content = [el("h1", { textContent: "There is no such page" })];
  for (const [pattern, page] of routes) {
    const match = path.match(pattern);
    if (!match) continue;
    try {
      content = await page(...match.slice(1).map(decodeURIComponent));
    } catch (err) {
      content = [el("h1", { textContent: "This page cannot be shown" }), el("p", { className: "bad", textContent: err.message })];
    }
  }
  if (path !== location.pathname) return;
  main.replaceChildren(...content);
  const heading = content[0];
  document.title = heading.textContent;
  heading.tabIndex = -1;
  if (turned) heading.focus(); // so that a screen reader reads it
}

function go(path) {
  history.pushState(null, "", path);
  render(true);
}

document.addEventListener("click", (e) => {
  const link = e.target.closest("a");
  if (!link || link.origin !== location.origin || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  go(link.pathname);
});
addEventListener("popstate", () => render(true));
render(false);
