import { type FormEvent, useEffect, useState } from "react";
import { client } from "nextrush-client";
import { useEvent, useSocket, useSocketState } from "nextrush-client/react";
import type { Channels } from "./events";

const server = client<Channels>();

export function List() {
  const socket = useSocket(() => server.connect("/list"), []);
  const state = useSocketState(socket);
  const [wishes, setWishes] = useState<string[]>([]);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");

  useEvent(socket, "added", ({ what }) => setWishes((all) => [...all, what]));

  // What was missed cannot be had, as after a restart of the server. The last of the list can.
  useEffect(() => socket.watch("gap", ({ room, from, to }) => {
    const last = to && [to[0], Math.max(0, to[1] - 50)] as const;
    if (!room || !last || String(last) === String(from)) return;
    setWishes([]);
    socket.room(room).since(last);
  }), [socket]);

  async function add(e: FormEvent) {
    e.preventDefault();
    try {
      await socket.request("add", { what: text });
      setText("");
      setProblem("");
    } catch (error) {
      setProblem("Not added: " + (error as Error).message); // the text stays
    }
  }

  return (
    <>
      <h1>List</h1>
      <p role="status">{state.name === "open" ? "connected" : "connecting"}</p>
      <ul>{wishes.map((what, i) => <li key={i}>{what}</li>)}</ul>
      <form onSubmit={add}>
        <input aria-label="Wish" value={text} onChange={(e) => setText(e.target.value)} maxLength={100} required />
        <button>Add</button>
      </form>
      <p role="alert">{problem}</p>
    </>
  );
}
