/// <reference lib="esnext.disposable" />

/** One path with its events, as events.d.ts declares it. */
export interface Channel {
  clientToServer: object;
  serverToClient: object;
}

/** A channel of which nothing is declared. */
export type Any = {
  clientToServer: Record<string, (data: any) => any>;
  serverToClient: Record<string, (data: any) => any>;
};
export type In<F> = F extends (data: infer D) => any ? D : never;
export type Out<F> = F extends (data: any) => infer R ? Awaited<R> : never;
/** The names of the events in S that have an answer. */
export type Calls<S> = string extends keyof S
  ? string
  : { [K in keyof S]: S[K] extends (data: any) => Promise<any> ? K : never }[keyof S] & string;
/** The names of the events in S that have none. */
export type Events<S> = string extends keyof S ? string : Exclude<keyof S & string, Calls<S>>;
/** The parameters of a path: those of "/chat/{room}" are { room }. */
export type Params<P> = P extends `${string}{${infer N}}${infer R}` ? { [K in N]: string | number } & Params<R> : {};
export type Rest<P, O> = {} extends Params<P> ? [options?: O] : [params: Params<P>, options?: O];

/** Makes a client whose channels all have these options. Channels is that of events.d.ts. */
export function client<Channels = Record<string, Any>>(options?: Options): Client<Channels>;
/** Connects to a path whose events are not declared, or to a URL, with the parameters of the path as in Client. */
export function connect<P extends string>(path: P, ...rest: Rest<P, Options> | [params: Params<P>, options: Options]): Socket<Any>;

export interface Client<Channels = Record<string, Any>> {
  /** A parameter of the path, as room in "/chat/{room}", is put in escaped. */
  connect<P extends keyof Channels & string>(path: P, ...rest: Rest<P, Options>): Socket<Channels[P] & Channel>;
}

/** All times are in milliseconds. */
export interface Options {
  /** Default: the origin of the page. http, https, ws or wss; its path is put before that of connect. */
  url?: string;
  /** Asked before each try if it is a function. */
  query?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /** Asked before each try; null gives up. "expiring" asks for the next token of an open connection. */
  auth?: (why: "first" | "again" | "expiring" | "expired") => Promise<Credential | null> | Credential | null;
  /** Wait for open(). Default: false, the next microtask opens. */
  lazy?: boolean;
  /** Runs on every session that was not resumed, before queued messages leave. If it fails, so has the try. */
  setup?: (session: Session) => Promise<void> | void;
  /** Default: base 1_000, cap 30_000, first 1_000. */
  backoff?: { base?: number; cap?: number; first?: number };
  /** A connection that was open for so long was a good one. Default: 10_000. */
  stable?: number;
  /** For one try, auth included, until the server's hello. Default: 10_000. */
  connectTimeout?: number;
  /** For the answer when the client asks whether the connection is alive. Default: 5_000. */
  probeTimeout?: number;
  /** What waits for the connection. Default: 256 messages, 262_144 bytes, 30_000 ms. */
  buffer?: { messages?: number; bytes?: number; age?: number };
  /** From the call, waiting for the connection included. Default: 10_000. */
  requestTimeout?: number;
  /** How a hidden page connects again: four times as slowly, when it is seen, or as others. Default: "slow". */
  hidden?: "slow" | "wait" | "same";
  /** Where in sessionStorage the session is kept while the page reloads. Default: nowhere. */
  sessionKey?: string;
  /** For a server without nextrush.v1: no hello, no liveness, no resume. */
  plain?: boolean;
  /** Judges an end: false closes for good, true does not, a number is the wait. */
  retry?: (end: End) => boolean | number | undefined;
  /** Default: the global one. */
  WebSocket?: new (url: string, protocols?: string[]) => WebSocketLike;
  /** For tests, and where there is no page as in React Native. */
  env?: Partial<Env>;
}

/** A string is a bearer token. */
export type Credential = string | { bearer: string } | { ticket: string };

/** attempt counts the tries since the last good connection from 1; of "waiting" it is the next one's. */
export type State =
  | { name: "idle" }
  | { name: "connecting"; attempt: number }
  | { name: "open"; since: number; resumed: boolean }
  | { name: "waiting"; attempt: number; until: number; why: End }
  | { name: "closed"; why: End };

/** Why a connection, or a try, ended. status and retryAfter (ms) are those of a refused upgrade. */
export interface End {
  code: number;
  reason: string;
  by: "us" | "server" | "network";
  status?: number;
  retryAfter?: number;
  final: boolean;
}

export interface Socket<C extends Channel = Any> extends Disposable {
  readonly state: State;
  /** The server's public name of this session. */
  readonly id: string | null;
  /** Milliseconds of the last round trip that was measured. */
  readonly rtt: number | null;
  /** What waits for the connection. */
  readonly buffered: { messages: number; bytes: number };
  /** Opens an idle or closed socket; a waiting one tries now. */
  open(): this;
  /** Closes for good, until open(). Resolves when the connection has ended, or after a second. */
  close(code?: number, reason?: string): Promise<void>;
  /** Resolves when open; rejects with a ClosedError, or when signal aborts. */
  ready(o?: { signal?: AbortSignal }): Promise<this>;
  /** Returns a function that removes the handler. */
  on<E extends Events<C["serverToClient"]>>(event: E, f: (data: In<C["serverToClient"][E]>, meta: Meta) => void, o?: Listen): () => void;
  /**
   * False: the message was not taken, and "dropped" says why. True: it waits, or was handed to a connection that looks
   * open. With that it may be lost, unless the session resumes: for what must arrive, request with retry.
   */
  emit<E extends Events<C["clientToServer"]>>(event: E, data: In<C["clientToServer"][E]>, o?: Send): boolean;
  /** Rejects with a RequestError, TimeoutError, LostError or ClosedError, or with the reason of signal. */
  request<E extends Calls<C["clientToServer"]>>(event: E, data: In<C["clientToServer"][E]>, o?: Ask): Promise<Out<C["clientToServer"][E]>>;
  /** Answers the server's requests. There is one handler for a name, the last one. */
  handle<E extends Calls<C["serverToClient"]>>(
    event: E,
    f: (data: In<C["serverToClient"][E]>) => Out<C["serverToClient"][E]> | Promise<Out<C["serverToClient"][E]>>,
  ): () => void;
  /** Sends a message that is not an event. */
  send(data: string | ArrayBuffer | ArrayBufferView): boolean;
  room(name: string): Room<C>;
  /** Watches the socket itself, apart from the app's events. */
  watch<K extends keyof Signals>(kind: K, f: (value: Signals[K]) => void, o?: Listen): () => void;
}

/** What setup may use. Its messages leave before those that wait. */
export type Session = Pick<Socket, "request" | "emit" | "id">;

export interface Signals {
  state: State;
  /** A failure of auth, query or setup. */
  error: Error;
  /** Events that were missed. */
  gap: Gap;
  /** A message that will not be sent. */
  dropped: Dropped;
  /** A message that is not an event. */
  message: string | ArrayBuffer;
  /** Every frame, for a look at the protocol. */
  frame: { out: boolean; text: string };
}

/** at: the server's time in Unix milliseconds. args: all arguments, of which data is the first; bytes, if it has any, are the last. */
export interface Meta {
  at: number;
  room?: string;
  offset?: number;
  replayed: boolean;
  args: unknown[];
  bytes?: Uint8Array;
}
export interface Listen {
  signal?: AbortSignal;
  once?: boolean;
}
/** volatile: now or never. age: how long it may wait, in place of buffer.age. bytes: the last argument, in a binary event. */
export interface Send {
  volatile?: boolean;
  age?: number;
  bytes?: Uint8Array;
}
/** retry: ask again, with the same key, if the connection was lost and the session with it. bytes: the last argument, in a binary event. */
export interface Ask {
  timeout?: number;
  signal?: AbortSignal;
  retry?: boolean;
  key?: string;
  bytes?: Uint8Array;
}
/** room is null when all that the server sent to this session alone may be missing. */
export interface Gap {
  room: string | null;
  from: Position | null;
  to: Position | null;
  why: "expired" | "overflow" | "epoch" | "session";
}
export interface Dropped {
  event: string;
  why: "full" | "old" | "volatile" | "too big" | "closed";
}
/** A place in the history of a room. */
export type Position = readonly [epoch: string, offset: number];

export interface Room<C extends Channel = Any> {
  readonly name: string;
  readonly joined: boolean;
  readonly position: Position | null;
  /** Asks to join, where the server lets clients ask. recovered: nothing after since is missing. */
  join(o?: { since?: Position }): Promise<{ recovered: boolean }>;
  leave(): Promise<void>;
  on: Socket<C>["on"];
  /** Says that the app's state is now that of p: what the room got after p is delivered again. */
  since(p: Position): void;
}

/** The server's error reply. */
export class RequestError extends Error {
  readonly event: string;
  readonly errors: unknown;
}
/** No reply in time. sent: whether the request had left. */
export class TimeoutError extends Error {
  readonly sent: boolean;
}
/** The connection, and with it the reply, was lost; ran says whether the server has run the request. */
export class LostError extends Error {
  readonly ran: "no" | "yes" | "unknown";
}
/** The socket is closed. */
export class ClosedError extends Error {
  readonly why: End;
}

/** What the client needs of its surroundings. */
export interface Env {
  /** Unix milliseconds. */
  now(): number;
  setTimeout(f: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** From 0 to below 1. */
  random(): number;
  /** A text that nobody guesses, of at most 128 bytes. */
  key(): string;
  /** null: there is none. */
  fetch: ((url: string, init: any) => Promise<{ status: number; headers: { get(name: string): string | null } }>) | null;
  /** What a page has: its events, whether it is hidden, its origin, sessionStorage, reportError. Nothing of it has to be there. */
  window: any;
}

export interface WebSocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly protocol: string;
  binaryType: any;
  onopen: any;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(data: any): void;
  close(code?: number, reason?: string): void;
}
