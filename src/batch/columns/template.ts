/**
 * Bodies as templates with slots (COLUMNS.md §2.3): `{"u":230.1,"ok":"yes"}` is the template `{"u":_,"ok":"_"}`
 * with the texts `230.1` and `yes`. This is cutting, not parsing: putting the texts back gives the same bytes
 * for JSON, for what merely looks like it, and for any other text, so nothing has to be proven about JSON.
 */

/** Marks a slot; a body that holds this byte is no text and has no template. */
const SLOT = 0;
/** Slots of one template, and bytes of a body that is cut: beyond, a body travels as it is. */
export const SLOTS_MAX = 64;
export const CUT_BYTES_MAX = 4096;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const MINUS = 0x2d;

export interface Template {
  readonly id: number;
  /** Literal bytes before, between and after the slots: one more than there are slots. */
  readonly pieces: readonly Uint8Array[];
}

/** The pieces of a template as it travels. */
export function piecesOf(skeleton: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (let i = 0; i <= skeleton.length; i++) {
    if (i < skeleton.length && skeleton[i] !== SLOT) continue;
    pieces.push(skeleton.subarray(start, i));
    start = i + 1;
  }
  return pieces;
}

/** 1 for bytes of numbers, 2 for bytes that no text holds. */
const BYTE_TYPES = Uint8Array.from({ length: 256 }, (_, byte) => {
  if ((byte >= 0x30 && byte <= 0x39) || '+-.Ee'.includes(String.fromCharCode(byte))) return 1;
  return (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte >= 0xf8 ? 2 : 0;
});

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Cuts bodies; holds the bounds of the slots of the last one. */
export class Cutter {
  /** Slot i of the last body is `bounds[2 i] … bounds[2 i + 1]`, the end excluded. */
  readonly bounds = new Int32Array(2 * SLOTS_MAX);
  slots = 0;
  readonly #skeleton = new Uint8Array(CUT_BYTES_MAX + 2 * SLOTS_MAX);

  /** The template of a body, aliasing an inner buffer; undefined for a body that travels as it is. */
  cut(body: Uint8Array): Uint8Array | undefined {
    this.slots = 0;
    if (body.length > CUT_BYTES_MAX) return undefined;
    let length = 0;
    let at = 0;
    while (at < body.length) {
      const byte = body[at] as number;
      const isText = byte === QUOTE && !isKey(body, at);
      const isNumber = isDigit(byte) || (byte === MINUS && isDigit(body[at + 1]));
      if (!isText && !isNumber) {
        const end = byte === QUOTE ? endOfString(body, at) : at + 1;
        for (; at < end; at++) {
          if (BYTE_TYPES[body[at] as number] === 2) return undefined;
          this.#skeleton[length++] = body[at] as number;
        }
        continue;
      }
      if (this.slots === SLOTS_MAX) return undefined;
      const start = isText ? at + 1 : at;
      const end = isText ? endOfString(body, at) - 1 : endOfNumber(body, at);
      if (isText) this.#skeleton[length++] = QUOTE;
      this.#skeleton[length++] = SLOT;
      this.bounds[2 * this.slots] = start;
      this.bounds[2 * this.slots + 1] = end;
      this.slots += 1;
      at = end;
      if (isText) {
        this.#skeleton[length++] = QUOTE;
        at += 1;
      }
    }
    return this.#skeleton.subarray(0, length);
  }

  /** Cuts a body by a template it probably has, much faster; false where it has another. */
  cutLike(template: Template, body: Uint8Array): boolean {
    const { pieces } = template;
    const last = pieces.length - 1;
    let at = 0;
    for (let i = 0; ; i++) {
      const piece = pieces[i] as Uint8Array;
      if (at + piece.length > body.length) return false;
      for (let j = 0; j < piece.length; j++) if (body[at + j] !== piece[j]) return false;
      at += piece.length;
      if (i === last) break;
      const isText = piece.length > 0 && piece[piece.length - 1] === QUOTE;
      const end = isText ? endOfString(body, at - 1) - 1 : endOfNumber(body, at);
      if (end < at) return false;
      this.bounds[2 * i] = at;
      this.bounds[2 * i + 1] = end;
      at = end;
    }
    this.slots = last;
    return at === body.length;
  }
}

/** True where the string that begins at `at` is followed by a colon, or never ends: such stay in the template. */
function isKey(body: Uint8Array, at: number): boolean {
  const end = endOfString(body, at);
  if (body[end - 1] !== QUOTE || end === at + 1) return true;
  for (let i = end; i < body.length; i++) {
    const byte = body[i] as number;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return byte === COLON;
  }
  return false;
}

/** One past the quote that ends the string whose first quote stands at `at`, or the end of the body. */
function endOfString(body: Uint8Array, at: number): number {
  for (let i = at + 1; i < body.length; i++) {
    const byte = body[i] as number;
    if (byte === QUOTE) return i + 1;
    if (byte === BACKSLASH) i += 1;
    else if (BYTE_TYPES[byte] === 2) return i;
  }
  return body.length;
}

function endOfNumber(body: Uint8Array, at: number): number {
  let end = at;
  while (end < body.length && BYTE_TYPES[body[end] as number] === 1) end += 1;
  return end;
}
