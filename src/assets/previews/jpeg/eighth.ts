/**
 * A JPEG at an eighth of its size, in a few megabytes: the first coefficient of a block of 8 × 8 is the mean of its pixels
 * (ITU T.81, A.3.3), and nothing else of it is kept. Reads what cameras and phones write, baseline and progressive. Decoding all
 * of a photograph of 12 megapixels takes 450 MB, and many a hub has 512.
 */
import { textOf } from '../../../base/bytes.ts';
import type { Rgba } from '../scale.ts';
import { type Codes, codesOf, isRestartMarker, nextMarker, ScanReader } from './entropy.ts';
import { type Frame, frameOf, pictureOf, type Plane } from './frame.ts';

export interface Eighth {
  readonly picture: Rgba;
  /** The TIFF structure of the EXIF segment. */
  readonly exif: Uint8Array | undefined;
}

/** A component in a scan, and the tables of its codes. */
interface Part {
  readonly plane: Plane;
  readonly first: Codes;
  readonly others: Codes;
  /** The first coefficient of the block before. */
  previous: number;
}

/** How a block's first coefficient is read from a scan. */
type ReadBlock = (part: Part, block: number) => void;

const COEFFICIENTS = 64;
/** A progressive picture has about ten. */
const SCANS_MAX = 64;
const NO_CODES: Codes = new Uint16Array(1 << 16);
const EXIF = 'Exif\0\0';
const ADOBE = 'Adobe';
const ADOBE_TRANSFORM_AT = 11;

/** Undefined where it is of a kind that this does not read, has more than `pixelsMax`, or is none. */
export function readEighth(bytes: Uint8Array, pixelsMax: number): Eighth | undefined {
  return new EighthReader(bytes, pixelsMax).read();
}

class EighthReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #pixelsMax: number;
  /** First step of each quantization table. */
  readonly #steps = new Map<number, number>();
  /** By class and number, as DHT has them in one byte. */
  readonly #codes = new Map<number, Codes>();
  #restartInterval = 0;
  #frame: Frame | undefined;
  #exif: Uint8Array | undefined;
  #isRgb = false;
  #scans = 0;

  constructor(bytes: Uint8Array, pixelsMax: number) {
    this.#bytes = bytes;
    this.#pixelsMax = pixelsMax;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): Eighth | undefined {
    let at = nextMarker(this.#bytes, 2);
    while (at + 4 <= this.#bytes.length && this.#bytes[at + 1] !== 0xd9) {
      const end = at + 2 + this.#view.getUint16(at + 2);
      if (end > this.#bytes.length) break;
      if (!this.#take(this.#bytes[at + 1] as number, this.#bytes.subarray(at + 4, end), end)) {
        return undefined;
      }
      at = nextMarker(this.#bytes, end);
      while (isRestartMarker(this.#bytes[at + 1] ?? 0)) at = nextMarker(this.#bytes, at + 2);
    }
    if (this.#frame === undefined || this.#scans === 0) return undefined;
    const stepOf = (table: number): number => this.#steps.get(table) ?? 1;
    return { picture: pictureOf(this.#frame, stepOf, this.#isRgb), exif: this.#exif };
  }

  /** Takes a segment, and the scan behind it at `end`; false where that is of a kind that is not read here. */
  #take(marker: number, body: Uint8Array, end: number): boolean {
    if (marker === 0xc4) return this.#takeCodes(body);
    if (marker >= 0xc0 && marker <= 0xcf) return this.#takeFrame(marker, body);
    if (marker === 0xda) return this.#takeScan(body, end);
    if (marker === 0xdb) this.#takeSteps(body);
    else if (marker === 0xdd) this.#restartInterval = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
    else if (marker === 0xe1 && begins(body, EXIF)) this.#exif ??= body.subarray(EXIF.length);
    else if (marker === 0xee && begins(body, ADOBE)) this.#isRgb = body[ADOBE_TRANSFORM_AT] === 0;
    return true;
  }

  #takeSteps(body: Uint8Array): void {
    for (let at = 0; at < body.length;) {
      const head = body[at] as number;
      const stepBytes = head >> 4 === 0 ? 1 : 2;
      const [high, low] = [body[at + 1] ?? 0, body[at + 2] ?? 0];
      this.#steps.set(head & 15, stepBytes === 1 ? high : (high << 8) | low);
      at += 1 + COEFFICIENTS * stepBytes;
    }
  }

  #takeCodes(body: Uint8Array): boolean {
    for (let at = 0; at + 17 <= body.length;) {
      const counts = body.subarray(at + 1, at + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const codes = codesOf(counts, body.subarray(at + 17, at + 17 + total));
      if (codes === undefined) return false;
      this.#codes.set(body[at] as number, codes);
      at += 17 + total;
    }
    return true;
  }

  #takeFrame(marker: number, body: Uint8Array): boolean {
    if (marker > 0xc2 || this.#frame !== undefined) return false;
    this.#frame = frameOf(body, marker === 0xc2, this.#pixelsMax);
    return this.#frame !== undefined;
  }

  #takeScan(body: Uint8Array, end: number): boolean {
    const frame = this.#frame;
    this.#scans += 1;
    if (frame === undefined || this.#scans > SCANS_MAX) return false;
    const count = body[0] ?? 0;
    const [spectralStart = 0, , approximation = 0] = body.subarray(1 + 2 * count);
    if (frame.isProgressive && spectralStart > 0) return true; // The other coefficients.
    const parts = this.#partsOf(frame, body.subarray(1, 1 + 2 * count));
    if (parts.length !== count || count === 0) return false;
    const reader = new ScanReader(this.#bytes, end);
    walkBlocks(frame, parts, blockReader(reader, frame.isProgressive, approximation), (units) => {
      if (this.#restartInterval === 0 || units % this.#restartInterval !== 0) return;
      reader.restart();
      for (const part of parts) part.previous = 0;
    });
    return true;
  }

  #partsOf(frame: Frame, named: Uint8Array): Part[] {
    const parts: Part[] = [];
    for (let at = 0; at + 1 < named.length; at += 2) {
      const plane = frame.planes.find(({ id }) => id === named[at]);
      const tables = named[at + 1] as number;
      const first = this.#codes.get(tables >> 4) ?? NO_CODES;
      const others = this.#codes.get(0x10 | (tables & 15)) ?? NO_CODES;
      if (plane !== undefined) parts.push({ plane, first, others, previous: 0 });
    }
    return parts;
  }
}

/** Goes through a scan's blocks in their order (T.81, A.2); `onUnit` is told before each unit but the first how many were. */
function walkBlocks(
  { unitsAcross, unitsDown }: Frame,
  parts: readonly Part[],
  read: ReadBlock,
  onUnit: (units: number) => void,
): void {
  const [only] = parts;
  const isAlone = parts.length === 1 && only !== undefined;
  const across = isAlone ? only.plane.columns : unitsAcross;
  const units = across * (isAlone ? only.plane.rows : unitsDown);
  for (let unit = 0; unit < units; unit++) {
    if (unit > 0) onUnit(unit);
    const column = unit % across;
    const row = (unit - column) / across;
    if (isAlone) read(only, row * only.plane.stride + column);
    else for (const part of parts) readUnit(part, column, row, read);
  }
}

function readUnit(part: Part, column: number, row: number, read: ReadBlock): void {
  const { across, down, stride } = part.plane;
  for (let y = 0; y < down; y++) {
    const from = (row * down + y) * stride + column * across;
    for (let x = 0; x < across; x++) read(part, from + x);
  }
}

/** `approximation`: what a scan brings of a number, its high half telling whether it is the first to bring anything (T.81, G.1.2.1). */
function blockReader(reader: ScanReader, isProgressive: boolean, approximation: number): ReadBlock {
  const low = isProgressive ? approximation & 15 : 0;
  if (isProgressive && approximation >> 4 !== 0) {
    return ({ plane: { means } }, block) => {
      means[block] = (means[block] as number) | (reader.bits(1) << low);
    };
  }
  return (part, block) => {
    part.previous += reader.signed(reader.code(part.first) & 15);
    part.plane.means[block] = part.previous << low;
    if (!isProgressive) skipOthers(reader, part.others);
  };
}

/** Reads past the other coefficients of a block: a run of zeros and a number, and again. */
function skipOthers(reader: ScanReader, codes: Codes): void {
  for (let at = 1; at < COEFFICIENTS; at++) {
    const code = reader.code(codes);
    const category = code & 15;
    if (category === 0 && code < 0xf0) return; // The rest are zeros.
    at += code >> 4;
    reader.bits(category);
  }
}

function begins(body: Uint8Array, text: string): boolean {
  return textOf(body.subarray(0, text.length)) === text;
}
