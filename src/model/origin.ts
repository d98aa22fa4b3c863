/** Ids of replicas and the lanes they number their ops in. */
import { bytesOfHex, hexOf } from '../base/bytes.ts';
import type { OpClass } from './class.ts';

declare const originBrand: unique symbol;

/**
 * Id of a replica that creates ops (device with the SDK, hub, regional node): 8 bytes, here as 16 lower-case
 * hex digits, so that it can be a map key and compares in byte order. Hubs and regional nodes take the
 * first 8 bytes of the SHA-256 of their public key, so an id cannot be claimed without the key.
 */
export type Origin = string & { readonly [originBrand]: true };

export const ORIGIN_BYTES = 8;

/** Texts of origins by their last byte: ops of a few origins follow each other by the million. */
const recent: { readonly bytes: Uint8Array; readonly origin: Origin }[] = [];

/** The origin that was last asked for, for the same reason. */
let newest: { readonly origin: Origin | undefined; readonly bytes: Uint8Array } = {
  origin: undefined,
  bytes: new Uint8Array(0),
};

/** Undefined where the bytes are not 8. */
export function originOfBytes(bytes: Uint8Array): Origin | undefined {
  return bytes.length === ORIGIN_BYTES ? originAt(bytes, 0) : undefined;
}

/** The origin whose 8 bytes begin at `at`. */
export function originAt(bytes: Uint8Array, at: number): Origin {
  const slot = bytes[at + ORIGIN_BYTES - 1] as number;
  const known = recent[slot];
  if (known !== undefined && isAt(bytes, at, known.bytes)) return known.origin;
  // Not `slice`: of a Buffer that is a view, and what is remembered would change with it.
  const own = new Uint8Array(bytes.subarray(at, at + ORIGIN_BYTES));
  const origin = hexOf(own) as Origin;
  recent[slot] = { bytes: own, origin };
  return origin;
}

function isAt(bytes: Uint8Array, at: number, origin: Uint8Array): boolean {
  for (let i = 0; i < ORIGIN_BYTES; i++) if (bytes[at + i] !== origin[i]) return false;
  return true;
}

export function originOfText(text: string): Origin | undefined {
  return /^[0-9a-f]{16}$/.test(text) ? (text as Origin) : undefined;
}

export function bytesOfOrigin(origin: Origin): Uint8Array {
  if (newest.origin !== origin) {
    newest = { origin, bytes: bytesOfHex(origin) as Uint8Array };
  }
  return newest.bytes.slice();
}

/** Writes the 8 bytes from `at` on. */
export function putOrigin(bytes: Uint8Array, at: number, origin: Origin): void {
  for (let i = 0; i < ORIGIN_BYTES; i++) {
    bytes[at + i] = (digitAt(origin, 2 * i) << 4) | digitAt(origin, 2 * i + 1);
  }
}

/** Of a lower-case hex text. */
function digitAt(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** A lane's key in maps and tables: `<origin>/<class>`. Ops of a lane are numbered 1, 2, 3 … without gaps. */
export type Lane = `${string}/${OpClass}`;

export function laneOf(origin: Origin, opClass: OpClass): Lane {
  return `${origin}/${opClass}`;
}

export function splitLane(lane: Lane): { origin: Origin; class: OpClass } {
  return { origin: lane.slice(0, 16) as Origin, class: Number(lane.slice(17)) as OpClass };
}
