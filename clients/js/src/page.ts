import type { Env } from "../types/index";

// watchPage reports the events of the page until it is told to stop:
//
// wake: the page is seen again, or the network came back: what happened meanwhile is unknown.
// away: the page will not run, perhaps for ever; kept: it may come back.
//
// Whether the page is hidden is asked when it matters and never remembered: events get
// lost. It never listens to unload, which keeps pages out of the browser's cache.
export function watchPage({ target, hidden }: Env, wake: (type: string) => void, away: (kept: boolean) => void): () => void {
  const types = "online offline visibilitychange pageshow pagehide freeze resume focus";
  const listen = (e: any) => {
    const { type } = e;
    if (type === "freeze" || type === "pagehide") away(type === "freeze" || e.persisted);
    else if (type !== "visibilitychange" || !hidden()) wake(type);
  };
  // Those of the document are caught on their way down; the focus of a field is none.
  const each = (f: "addEventListener" | "removeEventListener") => {
    if (target) for (const type of types.split(" ")) target[f](type, listen, type !== "focus");
  };
  each("addEventListener");
  return () => each("removeEventListener");
}
