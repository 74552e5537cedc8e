import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../src/backoff";
import { isFinal, retryAfter, windowIn } from "../src/end";
import { seeded } from "./fake";

const options = { base: 1_000, cap: 30_000, first: 1_000 };
const end = (more: any = {}) => ({ code: 1006, reason: "", by: "network" as const, final: false, ...more });

// Each row: what a loss is, and the window in which the wait has to be uniform.
const rows: [string, { end?: any; failed?: number; good?: boolean; spread?: number; slow?: boolean }, number, number][] = [
  ["lost when good", { good: true }, 0, 1_000],
  ["lost when good, the server's window", { good: true, spread: 8_000 }, 0, 8_000],
  ["lost when good, a window shorter than ours", { good: true, spread: 10 }, 0, 1_000],
  ["lost when good, with 1012", { good: true, spread: 8_000, end: { code: 1012 } }, 0, 8_000],
  ["try again later", { good: true, spread: 2_000, end: { code: 1013 } }, 0, 8_000],
  ["first failure", {}, 0, 1_000],
  ["third failure", { failed: 2 }, 0, 4_000],
  ["failed, in a shorter window than the server's", { failed: 1, spread: 8_000 }, 0, 12_000],
  ["failed, in a longer one", { failed: 4, spread: 8_000 }, 0, 16_000],
  ["beyond the cap with the server's window", { failed: 9, spread: 60_000 }, 0, 90_000],
  ["at the cap", { failed: 9 }, 0, 30_000],
  ["far beyond the cap", { failed: 2_000 }, 0, 30_000],
  ["hidden, at the cap", { failed: 9, slow: true }, 0, 120_000],
  ["hidden, below the cap", { failed: 1, slow: true }, 0, 2_000],
  ["try again later, failed", { failed: 1, end: { code: 1013 } }, 0, 8_000],
  ["told in the reason", { good: true, end: { reason: "restart retry=2000-5000" } }, 2_000, 5_000],
  ["told in the reason, failed", { failed: 9, end: { reason: "retry=0-8000" } }, 0, 8_000],
  ["Retry-After", { failed: 3, end: { retryAfter: 10_000 } }, 10_000, 20_000],
  ["Retry-After shorter than the window", { spread: 60_000, end: { retryAfter: 10_000 } }, 10_000, 70_000],
  ["Retry-After: 0", { spread: 5_000, end: { retryAfter: 0 } }, 0, 5_000],
];

for (const [name, loss, min, max] of rows) {
  test(`${name}: uniform from ${min} to ${max}`, () => {
    const { failed = 0, good = false, spread = 0, slow = false } = loss;
    const random = seeded(7);
    const draws = 100_000;
    const bins = new Array(10).fill(0);
    for (let i = 0; i < draws; i++) {
      const ms = backoff(random(), options, end(loss.end), failed, good, spread, slow);
      const floored = !good && !loss.end?.reason && loss.end?.retryAfter === undefined;
      assert.ok(ms >= (floored ? 50 : min) && ms < max, String(ms));
      bins[Math.floor(((ms - min) / (max - min)) * bins.length)]++;
    }
    const expected = draws / bins.length;
    const chi = bins.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    assert.ok(chi < 27.9, `χ² ${chi}`); // 9 degrees of freedom, p = 0.001
  });
}

test("no wait after a failure is below 50 ms", () => {
  assert.equal(backoff(0, options, end(), 0, false, 0, false), 50);
  assert.equal(backoff(0.049, options, end(), 0, false, 0, false), 50);
});

test("windows at the end of reasons", () => {
  for (const [reason, want] of [
    ["restart retry=0-8000", [0, 8000]],
    ["retry=5-5", [5, 5]],
    ["retry=9-5", [9, 9]],
    ["retry=0-8000 soon", null],
    ["noretry=0-8", null],
    ["retry=0-", null],
    ["retry=-5-8", null],
    ["retry=0-99999999999999", null],
    ["", null],
  ] as const) {
    assert.deepEqual(windowIn(reason), want, reason);
  }
});

test("codes that are final", () => {
  const final = [];
  for (let code = 1000; code < 5000; code++) if (isFinal(code)) final.push(code);
  const http = Array.from({ length: 100 }, (_, i) => 4400 + i).filter((c) => ![4401, 4408, 4425, 4429].includes(c));
  assert.deepEqual(final, [1002, 1003, 1007, 1008, 1009, 1010, ...http]);
});

test("Retry-After", () => {
  const now = Date.parse("Sat, 28 Nov 2026 20:00:00 GMT");
  for (const [header, want] of [
    ["5", 5_000],
    ["0", 0],
    ["99999", 3_600_000],
    ["Sat, 28 Nov 2026 20:00:30 GMT", 30_000],
    ["Sat, 28 Nov 2026 19:00:00 GMT", undefined],
    ["soon", undefined],
    ["-5", undefined],
    ["", undefined],
    [null, undefined],
  ] as const) {
    assert.equal(retryAfter(header, now), want, String(header));
  }
});
