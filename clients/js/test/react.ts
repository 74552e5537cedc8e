// The hooks of React that the client uses, for one component at a time.

type Effect = { deps?: unknown[]; run: () => void | (() => void); stop?: void | (() => void); due: boolean };

let mounted: Root;
let index = 0;

export class Root<T = any> {
  slots: any[] = [];
  shown!: T;
  constructor(private component: () => T, readonly server = false) {}

  // render runs the component until nothing changes any more.
  render(): T {
    let again = true;
    this.dirty = () => (again = true);
    while (again) {
      again = false;
      mounted = this;
      index = 0;
      this.shown = this.component();
      if (!this.server) this.effects();
    }
    this.dirty = () => void this.render();
    return this.shown;
  }

  dirty = () => {};

  // strict unmounts and mounts again, as StrictMode does at first.
  strict() {
    const all = this.slots.filter((s) => s.run) as Effect[];
    for (const e of all) if (e.stop) e.stop();
    for (const e of all) e.due = true;
    this.effects();
  }

  unmount() {
    for (const e of this.slots) if (e.run && e.stop) e.stop();
  }

  private effects() {
    for (const e of this.slots as Effect[]) {
      if (!e.run || !e.due) continue;
      e.due = false;
      e.stop = e.run();
    }
  }
}

function slot<T>(make: () => T): T {
  const i = index++;
  if (mounted.slots.length === i) mounted.slots.push(make());
  return mounted.slots[i];
}

export function useState<T>(first: T): [T, (v: T) => void] {
  const root = mounted;
  const s = slot(() => ({ value: first }));
  return [s.value, (v) => {
    if (s.value === v) return;
    s.value = v;
    root.dirty();
  }];
}

export const useRef = <T>(first: T): { current: T } => slot(() => ({ current: first }));

export function useEffect(run: Effect["run"], deps?: unknown[]): void {
  const e: Effect = slot(() => ({ run, deps, due: true }));
  if (e.deps && deps && deps.every((d, i) => Object.is(d, e.deps![i]))) return void (e.run = e.due ? run : e.run);
  if (!e.due && e.stop) e.stop();
  Object.assign(e, { run, deps, due: true });
}

export function useSyncExternalStore<T>(subscribe: (f: () => void) => () => void, get: () => T, server: () => T): T {
  const root = mounted;
  const [, show] = useState<unknown>(null);
  useEffect(() => subscribe(() => show({})));
  return root.server ? server() : get();
}
