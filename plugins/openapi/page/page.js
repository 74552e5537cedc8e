'use strict';

// Everything from the document goes into the page as text, never as markup.
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

const methods = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'trace'];

// outline replaces references by their schemas, each once on the way down.
function outline(schema, doc, above = []) {
  if (!schema || typeof schema !== 'object') return schema;
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.split('/').pop();
    if (above.includes(name)) return '(' + name + ')';
    return outline(doc.components.schemas[name], doc, [...above, name]);
  }
  if (Array.isArray(schema)) return schema.map((s) => outline(s, doc, above));
  return Object.fromEntries(Object.entries(schema).map(([k, v]) => [k, outline(v, doc, above)]));
}

function limits(schema) {
  const { type, ...rest } = schema || {};
  return [[].concat(type || 'any').join(' or '), ...Object.entries(rest).map(([k, v]) => k + ' ' + JSON.stringify(v))].join(', ');
}

function parameters(list, doc) {
  const rows = list.map((p) => el('tr', {},
    el('td', {}, el('code', {}, p.name)), el('td', {}, p.in),
    el('td', {}, p.required ? 'required' : 'optional'), el('td', {}, limits(outline(p.schema, doc)))));
  const head = el('tr', {}, ...['Name', 'In', '', 'Value'].map((t) => el('th', { scope: 'col' }, t)));
  return [el('h3', {}, 'Parameters'), el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows))];
}

function content(title, of, doc) {
  return Object.entries(of || {}).flatMap(([type, media]) => [
    el('h3', {}, title + ' ', el('small', {}, type)),
    el('pre', { tabindex: '0' }, JSON.stringify(outline(media.schema, doc), null, 2)),
  ]);
}

function operation(method, path, op, doc) {
  const body = el('div', { class: 'body' });
  if (op.description) body.append(el('p', {}, op.description));
  if (op.parameters) body.append(...parameters(op.parameters, doc));
  if (op.requestBody) body.append(...content('Body', op.requestBody.content, doc));
  for (const [status, r] of Object.entries(op.responses || {})) {
    if (status >= '400') continue;
    body.append(el('h3', {}, status + ' ' + r.description), ...content('Answer', r.content, doc));
  }
  const failures = Object.entries(op.responses || {}).filter(([s]) => s >= '400');
  if (failures.length) {
    body.append(el('h3', {}, 'Errors'), el('ul', {}, ...failures.map(([s, r]) => el('li', {}, s + ' ' + r.description))));
  }
  return el('details', { class: op.deprecated ? 'deprecated' : '' },
    el('summary', {}, el('span', { class: 'method' }, method.toUpperCase()), el('span', { class: 'path' }, path),
      el('span', { class: 'words' }, (op.deprecated ? 'Deprecated. ' : '') + (op.summary || ''))), body);
}

function render(doc, main) {
  const sections = new Map();
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of methods.filter((m) => item[m])) {
      const tag = (item[method].tags || [''])[0];
      if (!sections.has(tag)) sections.set(tag, el('section', {}, el('h2', {}, tag || 'Operations')));
      sections.get(tag).append(operation(method, path, item[method], doc));
    }
  }
  main.replaceChildren(...sections.values());
}

function filter(main, words) {
  for (const d of main.querySelectorAll('details')) {
    d.hidden = !d.firstChild.textContent.toLowerCase().includes(words);
  }
  for (const s of main.querySelectorAll('section')) s.hidden = !s.querySelector('details:not([hidden])');
}

async function start() {
  const main = document.getElementById('operations');
  try {
    const answer = await fetch(main.dataset.document);
    if (!answer.ok) throw new Error(answer.status + ' ' + answer.statusText);
    render(await answer.json(), main);
  } catch (e) {
    main.replaceChildren(el('p', { role: 'alert' }, 'The document cannot be read: ' + e.message));
  }
  document.getElementById('find').addEventListener('input', (e) => filter(main, e.target.value.trim().toLowerCase()));
}

start();
