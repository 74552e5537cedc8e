import type { Credential, End, WebSocketLike } from "../types/index";
import { isFinal, retryAfter } from "./backoff";
import { newTimer } from "./env";
import type { Settings } from "./settings";
import { decode } from "./wire";

const protocol = "nextrush.v1";

// Why is the reason for which auth is asked.
export type Why = "first" | "again" | "expired";

export type Opened = (ws: WebSocketLike, hello: any, data: string) => void;

// taken: HTTP says that the server would have taken the upgrade.
export type Failed = (end: End, taken?: boolean, error?: unknown) => void;

export const ending = (code: number, reason: string, by: End["by"] = "us", final = false): End => ({ code, reason, by, final });

// ended is how a WebSocket ended that we did not close.
export const ended = ({ code, reason }: { code: number; reason: string }): End =>
  ending(code, reason, code === 1006 ? "network" : "server", isFinal(code));

// part says good-bye to a WebSocket, and hears nothing more but its end.
export function part(ws: WebSocketLike | null, code = 1000, reason?: string, gone: (() => void) | null = null): void {
  if (!ws) return;
  ws.onopen = ws.onmessage = null;
  ws.onclose = gone;
  ws.close(code, reason);
}

export const credentialOf = (c: Credential): { bearer?: string; ticket?: string } => (typeof c === "string" ? { bearer: c } : c);

// attempt is one try to connect: credential, query, probe, WebSocket, hello. It has one
// outcome, or none once it was cancelled, by the function that is returned. ask: by HTTP
// first. offer gives the subprotocol that resumes the session, if there is one.
export function attempt(o: Settings, reason: Why, ask: boolean, offer: () => string[], opened: Opened, failed: Failed): () => void {
  const { auth, query, env, plain } = o;
  const timer = newTimer(env);
  let ws: WebSocketLike | null = null;
  let over = false;

  const settle = () => {
    over = true;
    timer();
  };
  const cancel = () => {
    settle();
    part(ws, 4001);
  };
  const fail = (end: End, taken?: boolean, error?: unknown) => {
    if (over) return;
    cancel();
    failed(end, taken, error);
  };
  const giveUp = (text: string, error?: unknown) => fail(ending(1006, text), false, error);

  const run = async () => {
    await null; // auth and query are the app's: not while states change
    const credential = auth ? await auth(reason) : "";
    if (credential === null) return fail(ending(1000, "no credential", "us", true));
    const { bearer, ticket } = credentialOf(credential);
    const u = new URL(o.url);
    const all: any = { ...(typeof query === "function" ? await query() : query), ...(ticket && { ticket }) };
    for (const name in all) u.searchParams.set(name, all[name]);
    const why = ask && (await probe(o, u.href, bearer));
    if (over) return;
    if (why && why !== true) return fail(why);

    const offers = plain ? [] : [protocol, ...offer()];
    if (bearer) offers.push("bearer", bearer);
    const socket: WebSocketLike = (ws = new (o.WebSocket || (globalThis as any).WebSocket)(u.href, offers));
    const done = (hello: any, data: string) => {
      settle();
      opened(socket, hello, data);
    };
    let up = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      up = true;
      if (plain) done({}, "");
      else if (socket.protocol !== protocol) giveUp("no " + protocol);
    };
    socket.onmessage = ({ data }: any) => {
      const hello = decode(data);
      if (hello && hello.type === "hello") done(hello, data);
      else giveUp("no hello");
    };
    const down = async (e: any) => {
      if (over || !ws) return;
      ws = null;
      // Why a WebSocket did not open, a browser does not say.
      const found = up ? undefined : why || (await probe(o, u.href, bearer));
      if (found && found !== true) fail(found);
      else fail(ended(e), found);
    };
    socket.onclose = down;
    // Node.js 20 tells no more than this of a server that is not there.
    socket.onerror = () => down({ code: 1006, reason: "" });
  };

  timer(o.connectTimeout, () => giveUp("timeout"));
  run().catch((e) => giveUp(String(e), e));
  return cancel;
}

// probe sends the request of the upgrade without the upgrade. The server answers with the
// status that the upgrade would get, and 426 if it would be taken: that is true.
// undefined: nothing is known.
async function probe({ env, plain }: Settings, url: string, bearer?: string): Promise<End | true | undefined> {
  url = url.replace("ws", "http");
  const headers: any = { Accept: "application/problem+json", "NextRush-Probe": "1" };
  if (bearer) headers.Authorization = "Bearer " + bearer;
  try {
    if (plain) return undefined;
    const { status, headers: got } = await env.fetch!(url, { headers, credentials: "include" });
    if (status === 426) return true;
    if (status < 400) return undefined;
    const end: End = { ...ending(1006, "status " + status, "server"), status };
    // A status is final only if the server says it, and not something in front of it.
    end.final = status < 500 && isFinal(4000 + status) && /problem/.test(got.get("Content-Type")!);
    if (status === 429 || status === 503) end.retryAfter = retryAfter(got.get("Retry-After"), env.now());
    return end;
  } catch (e) {
    // Without fetch we know nothing, and another origin may just not let us ask.
    return env.fetch && (!env.origin || url.startsWith(env.origin)) ? ending(1006, String(e), "network") : undefined;
  }
}
