import type { Env } from "../types/index";
import { newTimer } from "./env";

// Liveness finds out that a connection is dead, which a browser does not say: its
// pings are not shown to scripts. Silence is judged by the clock and not by counting
// timers, which browsers slow down. Suspicion never cuts the connection: it asks.
export interface Liveness {
  _start(beat: number): void; // the longest silence of the server
  _stop(): void;
  _hear(): void; // something has arrived
  _doubt(silence?: number): void; // asks if nothing has for longer than that
  _suspicious(): boolean;
}

export function newLiveness(env: Env, timeout: number, ask: (t: number) => void, dead: () => void, alive: () => void): Liveness {
  const period = 5_000; // between two looks at the clock
  const grace = 5_000; // on top of the longest silence that the server announced
  const jump = 15_000; // that a look at the clock comes too late, or early
  const afterJump = 2_000; // to answer in, when the machine has slept
  const late = 1_000; // a timer that comes later has been kept from running
  const look = newTimer(env);
  const probe = newTimer(env);
  let beat: number;
  let heard: number;
  let running = false;
  let suspicious = false;

  const since = (t: number) => Math.abs(env.now() - t); // clocks go back, too

  const doubt = (silence = beat, patience = timeout) => {
    if (!running || suspicious || since(heard) <= silence) return;
    suspicious = true;
    question(patience);
  };

  // A late timer says nothing of the server: its answer may be the next task of a busy
  // page, or the machine has slept.
  const question = (patience: number) => {
    const asked = env.now();
    ask(asked);
    probe(patience, () => (since(asked + patience) > late ? question(patience) : dead()));
  };

  const watch = () => {
    const due = env.now() + period;
    look(period, () => {
      if (since(due) > jump) doubt(-1, Math.min(afterJump, timeout));
      else doubt(beat + grace);
      watch();
    });
  };

  const calm = () => {
    suspicious = false;
    probe();
  };

  return {
    _start(longest) {
      beat = longest;
      heard = env.now();
      running = true;
      calm();
      watch();
    },
    _stop() {
      running = false;
      calm();
      look();
    },
    _hear() {
      heard = env.now();
      if (!suspicious) return;
      calm();
      alive();
    },
    _doubt: (silence) => doubt(silence),
    _suspicious: () => suspicious,
  };
}
