import type { End, Env } from "../types/index";
import { ending, isFinal, retryAfter } from "./end";

// probe sends the request of the upgrade without the upgrade. The server answers with the
// status that the upgrade would get, and 426 if it would be taken: that is true.
// undefined: nothing is known, also if there is no answer in time: after a network has
// changed, the browser may ask over a connection that is dead.
export async function probe(env: Env, url: string, timeout: number, bearer?: string): Promise<End | true | undefined> {
  const origin = env.window.location?.origin;
  const headers: any = { Accept: "application/problem+json", "NextRush-Probe": "1" };
  if (bearer) headers.Authorization = "Bearer " + bearer;
  url = url.replace("ws", "http");
  try {
    const { status, headers: got } = await env.fetch!(url, {
      headers,
      credentials: "include",
      cache: "no-store", // or Chromium has one wait for the other
      signal: AbortSignal.timeout(timeout),
    });
    if (status === 426) return true;
    if (status < 400) return;
    return {
      ...ending(1006, "status " + status, "server"),
      status,
      // A status is final only if the server says it, and not something in front of it.
      final: isFinal(4000 + status) && /problem/.test(got.get("Content-Type")!),
      retryAfter: retryAfter(got.get("Retry-After"), env.now()),
    };
  } catch (e: any) {
    if (e?.name === "TimeoutError") return;
    // Without fetch we know nothing, and another origin may just not let us ask.
    if (env.fetch && (!origin || url.startsWith(origin))) return ending(1006, String(e), "network");
  }
}
