import type { End, Env } from "../types/index";
import { ending, isFinal, retryAfter } from "./end";

// probe sends the request of the upgrade without the upgrade. The server answers with the
// status that the upgrade would get, and 426 if it would be taken: that is true.
// undefined: nothing is known.
export async function probe(env: Env, url: string, bearer?: string): Promise<End | true | undefined> {
  const origin = env.window.location?.origin;
  const headers: any = { Accept: "application/problem+json", "NextRush-Probe": "1" };
  if (bearer) headers.Authorization = "Bearer " + bearer;
  url = url.replace("ws", "http");
  try {
    const { status, headers: got } = await env.fetch!(url, { headers, credentials: "include" });
    if (status === 426) return true;
    if (status < 400) return;
    return {
      ...ending(1006, "status " + status, "server"),
      status,
      // A status is final only if the server says it, and not something in front of it.
      final: isFinal(4000 + status) && /problem/.test(got.get("Content-Type")!),
      retryAfter: retryAfter(got.get("Retry-After"), env.now()),
    };
  } catch (e) {
    // Without fetch we know nothing, and another origin may just not let us ask.
    if (env.fetch && (!origin || url.startsWith(origin))) return ending(1006, String(e), "network");
  }
}
