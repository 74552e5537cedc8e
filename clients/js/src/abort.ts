// onAbort calls f when the signal aborts, until the function that it returns is called.
export function onAbort(signal: AbortSignal | undefined, f: (reason: unknown) => void): () => void {
  const abort = () => f(signal!.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  return () => signal?.removeEventListener("abort", abort);
}
