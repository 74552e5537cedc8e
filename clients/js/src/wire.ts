// A binary event is the length of its envelope in two bytes, the envelope and the bytes.

const utf8 = (text: string) => new TextEncoder().encode(text);

export type Data = string | ArrayBuffer | ArrayBufferView | null;

// encode puts data into an envelope, and bytes after it: instead of it if there is none, or
// if it is bytes itself. It returns null if the envelope of a binary one is too long.
export function encode(envelope: object, data: unknown, bytes?: Uint8Array): Data {
  if (data instanceof Uint8Array) [data, bytes] = [null, data];
  const text = JSON.stringify({ ...envelope, data: data === undefined || (bytes && data === null) ? [] : [data] });
  if (!bytes) return text;
  const { length } = utf8(text);
  return length > 0xffff ? null : new Uint8Array([length >> 8, length, ...utf8(text), ...bytes]);
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

// size is the number of bytes on the wire, of what can be sent.
export const size = (data: Data): number => (typeof data === "string" ? utf8(data) : data)?.byteLength ?? Infinity;

// The arguments of an event or a reply are an array, and anything else is one argument.
// The bytes of a binary one are the last.
export const argsOf = ({ data, bytes }: any): unknown[] => [].concat(data ?? [], bytes ?? []);
