// Has ships take their steps, and prints where they are after each.
import { readFileSync } from "node:fs";
import { step } from "./step.js";

const at = JSON.parse(readFileSync(0)).map(({ start: [x, y], inputs }) => {
  const ship = { x, y, vx: 0, vy: 0, dash: 0 };
  return inputs.map(([x, y, dash]) => {
    step(ship, { x, y, dash });
    return [ship.x, ship.y, ship.vx, ship.vy, ship.dash];
  });
});
console.log(JSON.stringify(at));
