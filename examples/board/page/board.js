import { connect, presence } from "/nextrush.js";

const longest = 86_400_000; // ms that what was drawn waits for a connection
const batchBytes = 32_768;
const liveEvery = 50; // ms

// newBoard is the board of a name as the server has told of it, and over that what was done
// here and was not told of yet. on has functions: changed, loaded, live, refused, state
// and people.
export function newBoard(name, me, on) {
  const socket = connect("/live/{board}", { board: name }, { query: { user: me } });
  const room = socket.room(name);
  const who = presence(room);
  const prefix = [...crypto.getRandomValues(new Uint32Array(2))].map((n) => n.toString(36)).join("");
  let ids = 0;
  let told = null; // elements by id; the order is that in which they lie over each other
  let n = 0; // changes that told has
  let loading = false;
  let all = new Map(); // told, and what is pending
  let pending = []; // { op, n }: n is there when the server has done it
  let sending = false;
  let undos = [];
  let redos = [];

  const newID = () => prefix + "-" + ++ids;

  // ---- what the server tells

  // load gets the whole board, and has what came after it told again.
  async function load() {
    if (loading) return;
    loading = true;
    told = null;
    try {
      const answer = await fetch("/boards/" + name);
      const state = await answer.json();
      if (!answer.ok) throw new Error(state.detail || state.title);
      told = new Map(state.elements.map((e) => [e.id, e]));
      n = state.n;
      room.since(state.position);
      pending = pending.filter((p) => p.n === undefined);
      changed();
      on.loaded();
    } catch (error) {
      on.refused({}, "The board was not loaded: " + error.message);
      setTimeout(() => !told && socket.state.name === "open" && load(), 3000);
    }
    loading = false;
  }

  socket.on("did", (c) => {
    if (!told || c.n <= n) return;
    if (c.n > n + 1) return load();
    n = c.n;
    for (const e of c.put || []) told.set(e.id, e);
    mark(told, c.hide, c.op);
    mark(told, c.show, "");
    pending = pending.filter((p) => p.op.id !== c.op);
    changed();
  });
  socket.watch("gap", (gap) => gap.room && load());
  socket.watch("state", (state) => {
    if (state.name === "open" && !told) load();
    if (state.name === "open") send();
    on.state(state);
  });
  socket.on("live", on.live);
  who.watch(on.people);

  const mark = (elements, ids = [], gone) => {
    for (const id of ids) if (elements.has(id)) elements.set(id, { ...elements.get(id), gone });
  };

  const those = (f) => [...all.values()].filter(f).map((e) => e.id);

  // changed makes all anew.
  function changed() {
    pending = pending.filter((p) => !(p.n <= n));
    all = new Map(told || []);
    for (const { op } of pending) foresee(op);
    on.changed();
  }

  // foresee does to all what the server will do.
  function foresee({ id, add, set, hide, show, clear }) {
    if (add) all.set(add.id, { ...add, by: me, v: id });
    else if (show) mark(all, those((e) => e.gone === show), "");
    else if (!set) mark(all, those((e) => !e.gone && (clear || hide.includes(e.id))), id);
    else if (all.has(set.id)) {
      const written = "text" in set && { by: me, v: id, gone: "" };
      all.set(set.id, { ...all.get(set.id), ...set, ...(written || { v: all.get(set.id).v }) });
    }
  }

  // ---- what is done here

  function inverse({ id, add, set, show }) {
    if (add) return { hide: [add.id] };
    if (show) return { hide: those((e) => e.gone === show) };
    if (!set) return { show: id };
    const { x, y, text = "" } = all.get(set.id);
    return { set: { id: set.id, ...("text" in set ? { text, v: id } : { x, y }) } };
  }

  // act does an operation: here at once, and on the server when it can be reached.
  function act(fields, undone = undos) {
    const op = { id: newID(), ...fields };
    undone.push({ of: op.id, ...inverse(op) });
    pending.push({ op });
    changed();
    send();
  }

  function reverse(from, to) {
    const last = from.pop();
    if (!last) return false;
    const { of, ...op } = last;
    act(op, to);
    return true;
  }

  // send has one request under way at a time, so that operations come in order. The client
  // sends it again after a loss, with the same key: the server carries it out once.
  async function send() {
    if (sending) return;
    sending = true;
    for (let batch; (batch = nextBatch()).length > 0; ) {
      try {
        const results = await socket.request("do", batch.map((p) => p.op), { retry: true, timeout: longest });
        batch.forEach((p, i) => (results[i].error ? refuse(p, results[i].error) : (p.n = results[i].n)));
      } catch (error) {
        if (error.name === "ClosedError") break; // until it is opened again
        for (const p of batch) refuse(p, error.message);
      }
      changed();
    }
    sending = false;
  }

  function nextBatch() {
    const unsent = pending.filter((p) => p.n === undefined).slice(0, 100);
    let bytes = 0;
    const end = unsent.findIndex((p) => (bytes += JSON.stringify(p.op).length) > batchBytes);
    return end < 0 ? unsent : unsent.slice(0, Math.max(1, end));
  }

  function refuse(p, why) {
    pending = pending.filter((other) => other !== p);
    undos = undos.filter((u) => u.of !== p.op.id);
    redos = redos.filter((u) => u.of !== p.op.id);
    on.refused(p.op, why);
  }

  // ---- what is being done

  let doing = null;
  let shown = { id: "", points: 0 }; // of the stroke that is being drawn

  function show() {
    const { stroke, ...l } = doing;
    doing = null;
    if (stroke) {
      if (stroke.id !== shown.id) shown = { id: stroke.id, points: 0 };
      const { id, color, width, points } = stroke;
      l.stroke = { id, color, width, points: points.slice(shown.points, shown.points + 400) };
      shown.points += l.stroke.points.length;
    }
    socket.emit("live", l, { volatile: true });
  }

  return {
    socket,
    who,
    newID,
    get elements() {
      return [...all.values()].filter((e) => !e.gone);
    },
    get: (id) => all.get(id),
    pending: () => pending.length,
    act(op) {
      redos = [];
      act(op);
    },
    undo: () => reverse(undos, redos),
    redo: () => reverse(redos, undos),
    // live shows the others where we are: { x, y, stroke, note }.
    live(l) {
      if (!doing) setTimeout(show, liveEvery);
      doing = l;
    },
  };
}
