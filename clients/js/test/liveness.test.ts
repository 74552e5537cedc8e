import assert from "node:assert/strict";
import { test } from "node:test";
import { newLiveness } from "../src/liveness";
import { FakeEnv } from "./fake";

function start(beat = 30_000) {
  const env = new FakeEnv(0);
  const log: string[] = [];
  const note = (what: string) => () => void log.push(`${what} ${env.time}`);
  const live = newLiveness(env.options().env, 5_000, note("ask"), note("dead"), note("alive"));
  live._start(beat);
  return { env, live, log };
}

test("silence for longer than beat + 5 s asks, then cuts", async () => {
  const { env, live, log } = start();
  await env.advance(35_000);
  assert.deepEqual(log, []);
  await env.advance(5_000);
  assert.deepEqual(log, ["ask 40000"]);
  assert.ok(live._suspicious());
  await env.advance(5_000);
  assert.deepEqual(log, ["ask 40000", "dead 45000"]);
});

test("anything that arrives ends the suspicion", async () => {
  const { env, live, log } = start();
  await env.advance(42_000);
  live._hear();
  assert.ok(!live._suspicious());
  await env.advance(35_000);
  assert.deepEqual(log, ["ask 40000", "alive 42000"]);
});

test("a jump of the clock asks, whatever was heard, with 2 s to answer", async () => {
  for (const jump of [60_000, -60_000]) {
    const { env, live, log } = start();
    await env.advance(4_000);
    env.set(jump);
    live._hear();
    await env.advance(70_000);
    assert.equal(log.length, 2, log.join());
    const [ask, dead] = log.map((l) => Number(l.split(" ")[1]));
    assert.equal(dead - ask, 2_000);
  }
});

test("timers that a hidden page slows to a minute are harmless", async () => {
  const { env, live, log } = start();
  for (let i = 0; i < 10; i++) {
    await env.sleep(60_000); // the check comes as late as that
    if (live._suspicious()) live._hear();
  }
  assert.ok(log.every((l) => !l.startsWith("dead")), log.join());
});

test("a page that was busy asks again before it cuts: the answer may be the next task", async () => {
  const { env, live, log } = start();
  await env.advance(40_000);
  await env.sleep(30_000);
  assert.ok(log.every((l) => !l.startsWith("dead")), log.join());
  assert.equal(log.filter((l) => l.startsWith("ask")).length, 2);
  live._hear();
  await env.advance(10_000);
  assert.ok(log.every((l) => !l.startsWith("dead")), log.join());
});

test("doubt asks only after silence, and not twice", () => {
  const { env, live, log } = start();
  env.time = 5_000;
  live._doubt(5_000);
  assert.deepEqual(log, []);
  env.time = 5_001;
  live._doubt(5_000);
  live._doubt(5_000);
  assert.deepEqual(log, ["ask 5001"]);
});

test("without a beat silence means nothing", async () => {
  const { env, live, log } = start(Infinity);
  await env.advance(1_000_000);
  live._doubt();
  assert.deepEqual(log, []);
});

test("stopped, it has no timer and asks nothing", async () => {
  const { env, live, log } = start();
  await env.advance(40_000);
  live._stop();
  live._doubt(0);
  await env.advance(100_000);
  assert.deepEqual(log, ["ask 40000"]);
  assert.equal(env.timers.size, 0);
});
