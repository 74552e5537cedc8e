import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { play } from "./scenario";

// Both clients run these files.
const dir = "../scenarios";
const files = readdirSync(dir).filter((f) => f.endsWith(".json"));

test("there are scenarios", () => assert.ok(files.length >= 30, String(files.length)));

for (const file of files) {
  const scenario = JSON.parse(readFileSync(`${dir}/${file}`, "utf8"));
  test(`${file}: ${scenario.rule}`, () => play(scenario));
}
