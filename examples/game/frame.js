// The binary messages of frame.go.

export function encodeInput(tick, { x, y, dash }) {
  const b = new DataView(new ArrayBuffer(7));
  b.setUint32(0, tick, true);
  b.setInt8(4, x);
  b.setInt8(5, y);
  b.setUint8(6, dash ? 1 : 0);
  return b.buffer;
}

// decodeSnapshot makes { tick, pausing, left, players, gems }: players by seat.
export function decodeSnapshot(buffer) {
  const b = new DataView(buffer);
  const players = new Map(), gems = [];
  let at = 9;
  for (let n = b.getUint8(7); n > 0; n--, at += 17) {
    players.set(b.getUint8(at), {
      x: b.getUint16(at + 1, true), y: b.getUint16(at + 3, true), vx: b.getInt16(at + 5, true), vy: b.getInt16(at + 7, true),
      dash: b.getUint8(at + 9), away: !!(b.getUint8(at + 10) & 1), hurt: !!(b.getUint8(at + 10) & 2),
      score: b.getUint16(at + 11, true), ack: b.getUint32(at + 13, true),
    });
  }
  for (let n = b.getUint8(8); n > 0; n--, at += 2) gems.push(b.getUint16(at, true));
  return { tick: b.getUint32(0, true), pausing: b.getUint8(4) === 1, left: b.getUint16(5, true), players, gems };
}
