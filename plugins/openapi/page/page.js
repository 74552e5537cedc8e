
const methods = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'trace'];

const authorization = () => document.getElementById('authorization').value.trim();

function parameters(list, doc) {
  const rows = list.map((p) => el('tr', {},
    el('td', {}, el('code', {}, p.name)), el('td', {}, p.in),
    el('td', {}, p.required ? 'required' : 'optional'), el('td', {}, limits(outline(p.schema, doc)))));
  const head = el('tr', {}, ...['Name', 'In', 'Needed', 'Value'].map((t) => el('th', { scope: 'col' }, t)));
  return [el('h3', {}, 'Parameters'), el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows))];
}

function content(title, of, doc) {
  return Object.entries(of || {}).flatMap(([type, media]) => [
    el('h3', {}, title + ' ', el('small', {}, type)), ...schemaBox(media.schema, doc),
  ]);
}

const isForm = (type) => type.startsWith('multipart/') || type.endsWith('urlencoded');

// flat are the fields of a form by their names, with brackets for those within.
function flat(value, name = '') {
  if (value === null || typeof value !== 'object') return [[name, value]];
  return Object.entries(value).flatMap(([k, v]) => flat(v, name ? name + '[' + k + ']' : k));
}

// draft is a request of an operation as the page's fields have it.
class Draft {
  constructor(method, path, op, doc) {
    this.method = method.toUpperCase();
    this.path = path.split('#')[0];
    this.origin = op.servers ? location.protocol + op.servers[0].url : location.origin;
    this.parameters = (op.parameters || []).map((p) => this.parameter(p, doc));
    const [type, media] = Object.entries((op.requestBody || {}).content || {})[0] || [];
    this.type = type;
    this.fields = [];
    if (type && isForm(type)) {
      this.fields = flat(example(media.schema, doc)).map(([name, v]) => this.formField(name, v, outline(media.schema, doc)));
    } else if (type) {
      const text = type === 'application/json' ? pretty(example(media.schema, doc)) : '';
      this.body = el('textarea', { rows: Math.min(text.split('\n').length + 1, 15), spellcheck: 'false' });
      this.body.value = text;
    }
  }

  parameter(p, doc) {
    const { schema } = p;
    const choices = outline(schema, doc).enum;
    const field = choices ? el('select', {}, ...['', ...choices].map((v) => el('option', {}, v))) : el('input', { autocomplete: 'off' });
    if (p.required || (schema.examples || []).length) {
      const v = example(schema, doc);
      field.value = v !== null && typeof v === 'object' ? '' : v;
    }
    return { ...p, field };
  }

  formField(name, value, schema) {
    const property = (schema.properties || {})[name] || {};
    const media = property.contentMediaType || (property.items || {}).contentMediaType;
    const field = el('input', media ? { type: 'file', multiple: !!property.items } : { autocomplete: 'off' });
    if (!media) field.value = value ?? '';
    return { name, field };
  }

  inputs() {
    return [
      ...this.parameters.map((p) => labelled(p.name, p.in === 'cookie' ? 'cookie: the browser sends those that it has' : p.in, p.field)),
      ...this.fields.map((f) => labelled(f.name, 'form', f.field)),
      ...(this.body ? [labelled('Body', this.type, this.body)] : []),
    ];
  }

  in(place) { return this.parameters.filter((p) => p.in === place && p.field.value !== ''); }

  url() {
    let path = this.path;
    for (const p of this.parameters.filter((p) => p.in === 'path')) {
      const value = path.endsWith('{' + p.name + '}') ? p.field.value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(p.field.value);
      path = path.replace('{' + p.name + '}', value);
    }
    const query = new URLSearchParams(this.in('query').map((p) => [p.name, p.field.value])).toString();
    return path + (query && '?' + query);
  }

  headers() {
    const all = this.in('header').map((p) => [p.name, p.field.value]);
    if (authorization()) all.push(['Authorization', authorization()]);
    if (this.body) all.push(['Content-Type', this.type]);
    return all;
  }

  files() { return this.fields.flatMap(({ name, field }) => [...(field.files || [])].map((file) => [name, file])); }

  texts() { return this.fields.filter(({ field }) => field.type !== 'file' && field.value !== '').map(({ name, field }) => [name, field.value]); }

  payload() {
    if (this.body) return this.body.value;
    if (!this.fields.length) return undefined;
    if (!this.type.startsWith('multipart/')) return new URLSearchParams(this.texts());
    const form = new FormData();
    for (const [name, value] of [...this.texts(), ...this.files()]) form.append(name, value);
    return form;
  }

  // curl is a line for a shell of POSIX.
  curl() {
    const quote = (s) => "'" + String(s).replaceAll("'", "'\\''") + "'";
    const parts = ['curl'];
    if (this.method === 'HEAD') parts.push('--head');
    else if (this.method !== 'GET') parts.push('-X ' + this.method);
    for (const [k, v] of this.headers()) parts.push('-H ' + quote(k + ': ' + v));
    const cookies = this.in('cookie').map((p) => p.name + '=' + p.field.value).join('; ');
    if (cookies) parts.push('-b ' + quote(cookies));
    const form = (this.type || '').startsWith('multipart/');
    for (const [k, v] of this.texts()) parts.push((form ? '-F ' : '--data-urlencode ') + quote(k + '=' + v));
    for (const [k, f] of this.files()) parts.push('-F ' + quote(k + '=@' + f.name));
    if (this.body) parts.push('--data ' + quote(this.body.value));
    parts.push(quote(this.origin + this.url()));
    return parts.join(' ');
  }

  async send() {
    const began = performance.now();
    const answer = await fetch(this.url(), { method: this.method, headers: this.headers(), body: this.payload(), redirect: 'manual' });
    const text = await answer.text();
    const took = Math.round(performance.now() - began) + ' ms';
    if (answer.type === 'opaqueredirect') return [el('p', {}, 'A redirect, which the page does not follow. ' + took)];
    const head = el('p', { class: answer.ok ? 'good' : 'bad' }, answer.status + ' ' + answer.statusText + ', ' + took);
    const type = answer.headers.get('Content-Type') || '';
    let shown = text;
    if (type.includes('json')) try { shown = pretty(JSON.parse(text)); } catch { /* as it came */ }
    return [head, el('p', { class: 'quiet' }, type), ...(text ? [el('pre', { tabindex: '0' }, shown)] : [])];
  }
}

// elsewhere tells whether the API is not where the page is.
const elsewhere = (doc) => (doc.servers || []).length > 0 && !doc.servers.some((s) => new URL(s.url, location.href).origin === location.origin);

function trial(method, path, op, doc) {
  const draft = new Draft(method, path, op, doc);
  const line = el('pre', { tabindex: '0', class: 'curl' });
  const answer = el('div', { 'aria-live': 'polite' });
  const send = el('button', { type: 'submit', class: 'send' }, 'Send');
  const form = el('form', {}, el('fieldset', {}, el('legend', {}, 'Try it'), ...draft.inputs(),
    el('div', { class: 'row' }, send), el('div', { class: 'row' }, line, copyButton(line)), answer));
  const update = () => { line.textContent = draft.curl(); };
  form.addEventListener('input', update);
  document.getElementById('authorization').addEventListener('input', update);
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    send.disabled = true;
    try {
      answer.replaceChildren(...await draft.send());
    } catch (err) {
      answer.replaceChildren(el('p', { class: 'bad' }, 'Not sent: ' + err.message));
    }
    send.disabled = false;
  });
  if (elsewhere(doc) || draft.origin !== location.origin) send.replaceWith(el('p', { class: 'words' }, 'The API is on another server than this page.'));
  update();
  return form;
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
  const shown = el('details', { class: op.deprecated ? 'deprecated' : '' },
    el('summary', {}, el('span', { class: 'method ' + method }, method.toUpperCase()), el('span', { class: 'path' }, path),
      el('span', { class: 'words' }, (op.deprecated ? 'Deprecated. ' : '') + (op.summary || ''))), body);
  shown.addEventListener('toggle', () => body.append(trial(method, path, op, doc)), { once: true });
  return shown;
}

show(document.getElementById('operations'), (doc) => {
  const sections = new Map();
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of methods.filter((m) => item[m])) {
      const tag = (item[method].tags || [''])[0];
      if (!sections.has(tag)) sections.set(tag, el('section', {}, el('h2', {}, tag || 'Operations')));
      sections.get(tag).append(operation(method, path, item[method], doc));
    }
  }
  return sections.values();
});
