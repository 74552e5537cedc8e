// What the compiler has to accept and to refuse of the chat in examples, with what its
// server serves: the client and its declarations, and those of the events.
import { client, presence, type Position } from "./nextrush.js";
import type { Channels, Message, SayInput } from "./events";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => {};

same<keyof Channels, "/chat/{room}">(true);
const server = client<Channels>({ query: () => ({ name: "Ann" }) });
const chat = server.connect("/chat/{room}", { room: "tea" });
server.connect("/chat/{room}", { room: 7 });
// @ts-expect-error: the parameter is missing
server.connect("/chat/{room}");
// @ts-expect-error: a parameter is text or a number
server.connect("/chat/{room}", { room: true });
// @ts-expect-error: parameters are put in by the client
server.connect("/chat/tea");

same<SayInput, { text: string }>(true);
const answer = chat.request("say", { text: "hi" }, { retry: true });
same<typeof answer, Promise<boolean>>(true);
// @ts-expect-error: no text
chat.request("say", {});
// @ts-expect-error: it has an answer: request it
chat.emit("say", { text: "hi" });
// @ts-expect-error: the server says it, not the client
chat.emit("said", { name: "Ann", text: "hi" });
const taken: boolean = chat.emit("typing", "", { volatile: true });
// @ts-expect-error: it has no answer: emit it
chat.request("typing", "");
// @ts-expect-error: not its data
chat.emit("typing", true);

chat.on("said", (m, { at, room, offset, replayed }) => {
  same<Message, typeof m>(true);
  same<[number, string | undefined, number | undefined, boolean], [typeof at, typeof room, typeof offset, typeof replayed]>(true);
});
chat.on("typing", (name) => name.toUpperCase());
// @ts-expect-error: the client says it, not the server
chat.on("say", () => {});
// @ts-expect-error: the server asks nothing
chat.handle("said", () => {});
chat.room("tea").on("said", ({ name, text }) => name + text);
// @ts-expect-error: a message has no such field
chat.on("said", ({ at }) => at);

const position: Position = ["e", 1];
chat.room("tea").since(position);
chat.watch("gap", ({ room, to }) => room && to && chat.room(room).since(to));
presence(chat.room("tea")).watch(({ joined, left, sync }) => (sync ? [] : joined.concat(left)));
export { taken };
