/**
 * Arrays in the binary format of PostgreSQL's protocol (`array_send`: dimensions, has-nulls, element type; length and
 * lower bound; each element with its length). A statement that takes a column of thousands of values as one such array
 * costs a copy; as text every byte string would be written in hex and parsed again.
 */
const BYTEA = 17;
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const TEXT = 25;
const TIMESTAMPTZ = 1184;
const HEAD_BYTES = 20;
const NULL_LENGTH = -1;
/** 2000-01-01, where PostgreSQL begins to count microseconds. */
const EPOCH_MS = 946_684_800_000;
const TWO_32 = 0x100000000;

export function byteaArray(values: readonly Uint8Array[]): Uint8Array {
  return variable(BYTEA, values);
}

export function textArray(values: readonly string[]): Uint8Array {
  return variable(
    TEXT,
    values.map((value) => Buffer.from(value)),
  );
}

export function int2Array(values: readonly number[]): Uint8Array {
  return fixed(INT2, values, 2, (view, at, value) => view.setInt16(at, value));
}

export function int4Array(values: readonly number[]): Uint8Array {
  return fixed(INT4, values, 4, (view, at, value) => view.setInt32(at, value));
}

/** Undefined is null. */
export function int8Array(values: readonly (number | bigint | undefined)[]): Uint8Array {
  return fixed(INT8, values, 8, (view, at, value) => {
    if (typeof value === 'bigint') view.setBigInt64(at, value);
    else putSafe(view, at, value);
  });
}

/** Milliseconds since 1970; undefined is null. */
export function timeArray(valuesMs: readonly (number | undefined)[]): Uint8Array {
  return fixed(TIMESTAMPTZ, valuesMs, 8, (view, at, ms) => {
    putSafe(view, at, (Math.floor(ms) - EPOCH_MS) * 1000);
  });
}

/** A whole number of at most 2^53 either way, without the detour by a bigint. */
function putSafe(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value - Math.floor(value / TWO_32) * TWO_32);
}

function fixed<T>(
  type: number,
  values: readonly (T | undefined)[],
  width: number,
  put: (view: DataView, at: number, value: T) => void,
): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + values.length * (4 + width));
  const view = new DataView(bytes.buffer);
  writeHead(view, type, values.length);
  let at = HEAD_BYTES;
  for (const value of values) {
    if (value === undefined) {
      view.setInt32(at, NULL_LENGTH);
      at += 4;
      continue;
    }
    view.setInt32(at, width);
    put(view, at + 4, value);
    at += 4 + width;
  }
  return bytes.subarray(0, at);
}

function variable(type: number, values: readonly Uint8Array[]): Uint8Array {
  const total = values.reduce((sum, value) => sum + 4 + value.length, HEAD_BYTES);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  writeHead(view, type, values.length);
  let at = HEAD_BYTES;
  for (const value of values) {
    view.setInt32(at, value.length);
    bytes.set(value, at + 4);
    at += 4 + value.length;
  }
  return bytes;
}

function writeHead(view: DataView, type: number, length: number): void {
  view.setInt32(0, 1);
  view.setInt32(4, 0);
  view.setInt32(8, type);
  view.setInt32(12, length);
  view.setInt32(16, 1);
}
