/**
 * The VE.Direct text protocol, byte by byte. A block is `\r\n<label>\t<value>` repeated, closed by
 * `\r\nChecksum\t<byte>`; the sum of all its bytes modulo 256 is 0. A block is given out whole and proven,
 * or not at all: the first one of a line is usually cut and fails its sum.
 *
 * HEX frames (`:` and nibbles up to a line feed) come at any moment, also inside a value, and are no part
 * of the sum. Only the checksum byte itself is exempt: it can be `:`, CR, LF or TAB. A frame may lose its
 * line feed and end in 0xFE, or be cut by the next byte that is no nibble.
 */

export type VeDirectBlock = ReadonlyMap<string, string>;

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const COLON = 0x3a;
const FRAME_END_GARBLED = 0xfe;

/** The protocol's own limits are 8, 32 and about 22; beyond twice that it is noise. */
const LABEL_BYTES_MAX = 16;
const VALUE_BYTES_MAX = 64;
const FIELDS_MAX = 48;
const FRAME_BYTES_MAX = 512;

type Place = 'between' | 'label' | 'value' | 'checksum';

export class VeDirectParser {
  readonly #onBlock: (block: VeDirectBlock) => void;
  #place: Place = 'between';
  /** Bytes of the HEX frame that we are in, or undefined outside of one. */
  #frameBytes: number | undefined;
  #afterFrame = false;
  #sum = 0;
  #label = '';
  #value = '';
  #fields = new Map<string, string>();
  #overlong = false;
  #blocksGood = 0;
  #blocksBad = 0;
  #frames = 0;

  constructor(onBlock: (block: VeDirectBlock) => void) {
    this.#onBlock = onBlock;
  }

  get stat(): { readonly blocksGood: number; readonly blocksBad: number; readonly frames: number } {
    return { blocksGood: this.#blocksGood, blocksBad: this.#blocksBad, frames: this.#frames };
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#frameBytes !== undefined && this.#takeFrameByte(byte)) continue;
      const garbledEnd = this.#afterFrame && byte === FRAME_END_GARBLED;
      this.#afterFrame = false;
      if (garbledEnd && this.#place !== 'checksum') continue;
      if (byte === COLON && this.#place !== 'checksum') this.#frameBytes = 0;
      else this.#takeTextByte(byte);
    }
  }

  /** False where the byte ended the frame without belonging to it. */
  #takeFrameByte(byte: number): boolean {
    const ends = byte === LF || byte === FRAME_END_GARBLED;
    if (!ends && isNibble(byte) && (this.#frameBytes as number) < FRAME_BYTES_MAX) {
      this.#frameBytes = (this.#frameBytes as number) + 1;
      return true;
    }
    this.#frameBytes = undefined;
    this.#frames += 1;
    this.#afterFrame = byte === LF;
    return ends;
  }

  #takeTextByte(byte: number): void {
    this.#sum = (this.#sum + byte) & 0xff;
    switch (this.#place) {
      case 'checksum':
        return this.#closeBlock();
      case 'between':
        if (byte === LF) this.#place = 'label';
        return;
      case 'label':
        if (byte === TAB) this.#place = this.#label === 'Checksum' ? 'checksum' : 'value';
        else if (byte === LF || byte === CR) this.#label = '';
        else this.#label = this.#grown(this.#label, byte, LABEL_BYTES_MAX);
        return;
      case 'value':
        if (byte === CR || byte === LF) this.#closeField(byte);
        else this.#value = this.#grown(this.#value, byte, VALUE_BYTES_MAX);
        return;
    }
  }

  #closeField(byte: number): void {
    if (this.#fields.size >= FIELDS_MAX) this.#overlong = true;
    else this.#fields.set(this.#label, this.#value);
    this.#label = '';
    this.#value = '';
    this.#place = byte === LF ? 'label' : 'between';
  }

  #closeBlock(): void {
    const block = this.#fields;
    const good = this.#sum === 0 && !this.#overlong && block.size > 0;
    this.#place = 'between';
    this.#sum = 0;
    this.#label = '';
    this.#value = '';
    this.#overlong = false;
    this.#fields = new Map();
    if (good) this.#blocksGood += 1;
    else this.#blocksBad += 1;
    if (good) this.#onBlock(block);
  }

  #grown(text: string, byte: number, bytesMax: number): string {
    if (text.length >= bytesMax) {
      this.#overlong = true;
      return text;
    }
    return text + String.fromCharCode(byte);
  }
}

function isNibble(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x46) ||
    (byte >= 0x61 && byte <= 0x66)
  );
}
