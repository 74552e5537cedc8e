// A binary event is the length of its envelope in two bytes, the envelope and the bytes.

const utf8 = (text: string) => new TextEncoder().encode(text);

// encode puts data into an envelope, and bytes after it: instead of it if there is none, or
// if it is bytes itself. It returns null if the envelope of a binary one is too long.
export function encode(envelope: object, data: unknown, bytes?: Uint8Array): string | Uint8Array | null {
  const longestEnvelope = 0xffff;
  if (data instanceof Uint8Array) [data, bytes] = [null, data];
  const text = JSON.stringify({ ...envelope, data: data === undefined || (bytes && data === null) ? [] : [data] });
  if (!bytes) return text;
  const head = utf8(text);
  const { length } = head;
  if (length > longestEnvelope) return null;
  const all = new Uint8Array(2 + length + bytes.length);
  all.set([length >> 8, length & 0xff]);
  all.set(head, 2);
  all.set(bytes, 2 + length);
  return all;
}

// decode returns undefined for what is not an envelope: a message of the app's own.
export function decode(data: string | ArrayBuffer): any {
  try {
    let text = data;
    let bytes;
    if (typeof text !== "string") {
      const all = new Uint8Array(text);
      const end = 2 + (all[0] << 8) + all[1];
      bytes = all.subarray(end);
      text = new TextDecoder().decode(all.subarray(2, end));
    }
    const m = JSON.parse(text);
    m.bytes = bytes;
    if (typeof m.type === "string") return m;
  } catch {}
}

// size is the number of bytes on the wire.
export const size = (data: string | ArrayBuffer | ArrayBufferView): number =>
  (typeof data === "string" ? utf8(data) : data).byteLength;

// The arguments of an event or a reply are an array, and anything else is one argument.
// The bytes of a binary one are the last.
export const argsOf = ({ data, bytes }: any): unknown[] => [].concat(data ?? [], bytes ?? []);
