
// payload is the schema of an event's argument.
const payload = (message) => message.payload.properties.data.items[0];

const eventName = (message) => message.payload.properties.event.const;

// operations of a channel: what clients send is what the server receives.
function operations(id, doc) {
  return Object.values(doc.operations).filter((op) => follow(op.channel.$ref, doc) === doc.channels[id]);
}

function operation(op, doc) {
  const message = follow(op.messages[0].$ref, doc);
  const toServer = op.action === 'receive';
  const body = el('div', { class: 'body' }, el('h3', {}, 'Data'), ...schemaBox(payload(message), doc));
  if (op.reply) body.append(el('h3', {}, 'Reply'), ...schemaBox(payload(follow(op.reply.messages[0].$ref, doc)), doc));
  return el('details', {},
    el('summary', {}, el('span', { class: 'method ' + (toServer ? 'post' : 'get') }, toServer ? 'SEND' : 'HEAR'),
      el('span', { class: 'path' }, eventName(message)),
      el('span', { class: 'words' }, (op.summary || '') + (op.reply ? ' (has a reply)' : ''))), body);
}

// Session is one socket of the page, and what it has sent and got.
class Session {
  constructor(channel, events, doc) {
    this.channel = channel;
    this.events = events;
    this.doc = doc;
    this.last = 0; // id of a request for a reply
    this.parameters = Object.keys(channel.parameters || {}).map((name) => ({ name, field: el('input', { autocomplete: 'off', value: name }) }));
    this.query = el('input', { autocomplete: 'off', placeholder: 'name=Ann' });
    this.state = el('span', { class: 'words', role: 'status' }, 'not connected');
    this.connect = el('button', { type: 'button', class: 'send' }, 'Connect');
    this.event = el('select', {}, ...events.map((op) => el('option', {}, eventName(follow(op.messages[0].$ref, doc)))));
    this.data = el('textarea', { rows: 6, spellcheck: 'false' });
    this.send = el('button', { type: 'submit', class: 'send', disabled: true }, 'Send');
    this.log = el('pre', { tabindex: '0', class: 'log', 'aria-label': 'Messages' });
    this.connect.addEventListener('click', () => this.toggle());
    this.event.addEventListener('change', () => this.suggest());
    this.suggest();
  }

  view() {
    const form = el('form', {}, el('fieldset', {}, el('legend', {}, 'Try it'),
      ...this.parameters.map((p) => labelled(p.name, 'path', p.field)), labelled('Query', 'of the URL', this.query),
      el('div', { class: 'row' }, this.connect, this.state),
      ...(this.events.length ? [labelled('Event', '', this.event), labelled('Data', 'JSON', this.data), el('div', { class: 'row' }, this.send)] : []),
      this.log));
    form.addEventListener('submit', (e) => { e.preventDefault(); this.emit(); });
    return form;
  }

  chosen() { return this.events[this.event.selectedIndex]; }

  suggest() {
    if (this.chosen()) this.data.value = pretty(example(payload(follow(this.chosen().messages[0].$ref, this.doc)), this.doc));
  }

  url() {
    let path = this.channel.address;
    for (const p of this.parameters) path = path.replace('{' + p.name + '}', encodeURIComponent(p.field.value));
    const query = this.query.value.trim().replace(/^\?/, '');
    return location.origin.replace(/^http/, 'ws') + path + (query && '?' + query);
  }

  toggle() {
    if (this.socket) return this.socket.close(1000);
    this.socket = new WebSocket(this.url());
    this.say('connecting');
    this.socket.onopen = () => this.say('connected');
    this.socket.onmessage = (m) => this.note('←', typeof m.data === 'string' ? m.data : '(binary)');
    this.socket.onclose = (e) => {
      this.socket = null;
      this.say('closed with ' + e.code + (e.reason && ': ' + e.reason));
    };
  }

  say(state) {
    this.state.textContent = state;
    this.connect.textContent = this.socket ? 'Close' : 'Connect';
    this.send.disabled = state !== 'connected';
  }

  emit() {
    if (this.send.disabled) return;
    const message = { type: 'event', event: this.event.value, data: [] };
    try {
      message.data.push(JSON.parse(this.data.value));
    } catch (e) {
      return this.note('!', 'The data is not JSON: ' + e.message);
    }
    if (this.chosen().reply) message.id = ++this.last;
    const text = JSON.stringify(message);
    this.socket.send(text);
    this.note('→', text);
  }

  note(way, text) {
    this.log.append(way + ' ' + text + '\n');
    while (this.log.childNodes.length > 200) this.log.firstChild.remove();
    this.log.scrollTop = this.log.scrollHeight;
  }
}

show(document.getElementById('channels'), (doc) => Object.entries(doc.channels).map(([id, channel]) => {
  const all = operations(id, doc);
  const about = [channel.summary, (channel['x-rooms'] || []).length && 'Rooms: ' + channel['x-rooms'].join(', ')].filter(Boolean).join('. ');
  return el('section', {}, el('h2', {}, el('span', { class: 'path' }, channel.address)), ...(about ? [el('p', {}, about)] : []),
    ...all.map((op) => operation(op, doc)), new Session(channel, all.filter((op) => op.action === 'receive'), doc).view());
}));
