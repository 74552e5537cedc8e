// What the compiler has to accept and to refuse, with the declarations that a server
// makes of its events. Nothing of this runs.
import { client, connect, LostError, RequestError, type Any, type Gap, type Socket, type State } from "nextrush-client";
import { presence } from "nextrush-client/presence";
import { useEvent, useSocket, useSocketState } from "nextrush-client/react";
import type { Channels, ChatMessage, History } from "./events";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => {};

const c = client<Channels>({ auth: async (why) => (why === "first" ? "token" : null), url: "https://a.example" });
const chat = c.connect("/chat/{room}", { room: "tea" }, { stable: 5_000 });
const news = c.connect("/news");
c.connect("/news", { lazy: true });

// @ts-expect-error: no such path
c.connect("/chats");
// @ts-expect-error: the parameter is missing
c.connect("/chat/{room}");
// @ts-expect-error: and so
c.connect("/chat/{room}", {});
// @ts-expect-error: another parameter
c.connect("/chat/{room}", { rom: "tea" });
// @ts-expect-error: not an option
c.connect("/news", { stabel: 5 });

chat.emit("chat", { text: "hi" });
// @ts-expect-error: not an event of the client
chat.emit("welcome", "hi");
// @ts-expect-error: it has an answer: request it
chat.emit("history", { count: 3 });
// @ts-expect-error: not its data
chat.emit("chat", { txt: "hi" });
// @ts-expect-error: its data is missing
chat.emit("chat");

const asked = chat.request("history", { count: 3 }, { retry: true, key: "k", timeout: 5 });
same<typeof asked, Promise<History>>(true);
// @ts-expect-error: it has no answer: emit it
chat.request("chat", { text: "hi" });
// @ts-expect-error: not its data
chat.request("history", { count: "3" });

chat.on("chat", (data, meta) => {
  same<string, typeof data.text>(true);
  same<number | undefined, typeof meta.offset>(true);
});
chat.on("welcome", (text) => text.toUpperCase(), { once: true, signal: AbortSignal.timeout(5) });
// @ts-expect-error: not an event of the server
chat.on("history", () => {});
// @ts-expect-error: it wants an answer: handle it
chat.on("name", () => {});
chat.handle("name", (n) => "x".repeat(n));
chat.handle("name", async () => "x");
// @ts-expect-error: not its answer
chat.handle("name", () => 5);
// @ts-expect-error: it has no answer
chat.handle("welcome", () => {});
chat.room("tea").on("chat", (m) => m.text);
// @ts-expect-error: nor in a room
chat.room("tea").on("history", () => {});

chat.watch("state", (s) => {
  if (s.name === "waiting") s.until.toFixed();
  // @ts-expect-error: only of an open one
  s.since;
});
chat.watch("gap", (g) => same<Gap, typeof g>(true));
// @ts-expect-error: no such signal
chat.watch("open", () => {});
// @ts-expect-error: nobody sets it
chat.state = { name: "idle" };
const ready: Promise<typeof chat> = chat.ready();
ready.catch((e) => e instanceof LostError && e.ran === "no" && e instanceof RequestError);

const anything: Socket<Any> = connect("/any", { plain: true, hidden: "wait", retry: (end) => end.code === 4409 || 5_000 });
anything.emit("whatever", 1);
anything.request("whatever", {}).then((x) => x.anything);
anything.on("whatever", (data) => data.anything);
// @ts-expect-error: not one of the three
connect("/any", { hidden: "fast" });
connect("/any/{x}", { x: 1 });
connect("/any/{x}", { x: 1 }, { lazy: true });
connect("/any", {}, { lazy: true });
connect("/any" as string, { lazy: true });
// @ts-expect-error: the parameter is missing
connect("/any/{x}");
// @ts-expect-error: and so
connect("/any/{x}", { lazy: true });
// @ts-expect-error: not a credential
connect("/any", { auth: () => ({ basic: "x" }) });
connect("/any", { setup: async (s) => void (await s.request("login", s.id)) });

const who = presence<{ name: string }>(chat.room("tea"));
who.set({ name: "Ann" });
// @ts-expect-error: not what members say
who.set({ nme: "Ann" });
same<ReadonlyMap<string, { data: { name: string }; sockets: number }>, typeof who.members>(true);

export function Chat({ room }: { room: string }) {
  const socket = useSocket(() => c.connect("/chat/{room}", { room }), [room]);
  const state: State = useSocketState(socket);
  useEvent(socket, "chat", (m: ChatMessage) => m.text);
  // @ts-expect-error: not an event of the server
  useEvent(socket, "history", () => {});
  return state.name;
}

{
  using disposed = news;
  disposed.open();
}
