/** A JPEG's frame (ITU T.81, B.2.2), and what its blocks look like where each is one pixel. */
import type { Rgba } from '../scale.ts';

/** One component: brightness, or one of the two colours. */
export interface Plane {
  readonly id: number;
  /** Blocks of it in a unit (MCU), side by side and one above the other. */
  readonly across: number;
  readonly down: number;
  /** Blocks that the picture has, side by side and one above the other. */
  readonly columns: number;
  readonly rows: number;
  /** Blocks in a row of `means`, with those that only fill units. */
  readonly stride: number;
  /** The first coefficient of each block: eight times its mean, quantized. */
  readonly means: Int16Array;
  /** Number of its quantization table. */
  readonly table: number;
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly isProgressive: boolean;
  /** The most blocks that a plane has in a unit, side by side and one above the other. */
  readonly acrossMax: number;
  readonly downMax: number;
  readonly unitsAcross: number;
  readonly unitsDown: number;
  readonly planes: readonly Plane[];
}

const BLOCK_SIDE = 8;
const HEAD_BYTES = 6;
const PLANE_BYTES = 3;
const SAMPLING_MAX = 4;
/** `R`, `G` and `B`, as some programs name their components. */
const RGB_IDS = [0x52, 0x47, 0x42];

/** Undefined where it is none of the common kinds (8 bits, one component or three), or has more than `pixelsMax`. */
export function frameOf(
  body: Uint8Array,
  isProgressive: boolean,
  pixelsMax: number,
): Frame | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const count = body[HEAD_BYTES - 1] as number;
  if (body[0] !== 8 || (count !== 1 && count !== 3)) return undefined;
  if (body.length < HEAD_BYTES + count * PLANE_BYTES) return undefined;
  const [height, width] = [view.getUint16(1), view.getUint16(3)];
  const parts = Array.from({ length: count }, (_, index) => {
    const [id, sampling, table] = body.subarray(HEAD_BYTES + index * PLANE_BYTES);
    const [across, down] = [(sampling as number) >> 4, (sampling as number) & 15];
    return { id: id as number, across, down, table: table as number };
  });
  const isSampled = ({ across, down }: (typeof parts)[number]): boolean =>
    Math.min(across, down) > 0 && Math.max(across, down) <= SAMPLING_MAX;
  const isSized = width > 0 && height > 0 && width * height <= pixelsMax;
  if (!isSized || !parts.every(isSampled)) return undefined;
  const acrossMax = Math.max(...parts.map(({ across }) => across));
  const downMax = Math.max(...parts.map(({ down }) => down));
  const unitsAcross = Math.ceil(width / (BLOCK_SIDE * acrossMax));
  const unitsDown = Math.ceil(height / (BLOCK_SIDE * downMax));
  const planes = parts.map((part) => ({
    ...part,
    columns: Math.ceil(Math.ceil((width * part.across) / acrossMax) / BLOCK_SIDE),
    rows: Math.ceil(Math.ceil((height * part.down) / downMax) / BLOCK_SIDE),
    stride: unitsAcross * part.across,
    means: new Int16Array(unitsAcross * part.across * unitsDown * part.down),
  }));
  return { width, height, isProgressive, acrossMax, downMax, unitsAcross, unitsDown, planes };
}

/** `stepOf` gives the first step of a quantization table. */
export function pictureOf(frame: Frame, stepOf: (table: number) => number, isRgb: boolean): Rgba {
  const { width, height, planes } = frame;
  const columns = Math.ceil(width / BLOCK_SIDE);
  const rows = Math.ceil(height / BLOCK_SIDE);
  const data = new Uint8Array(columns * rows * 4);
  const samples = planes.map((plane) => samplesOf(plane, frame, stepOf(plane.table)));
  const [bright, blue = bright, red = bright] = samples as [Sampler, Sampler?, Sampler?];
  const isGrey = planes.length === 1;
  const isPlain = isRgb || planes.every(({ id }, index) => id === RGB_IDS[index]);
  const put = isGrey ? putGrey : isPlain ? putRgb : putYcc;
  for (let at = 0; at < data.length; at += 4) {
    const x = (at >> 2) % columns;
    const y = Math.floor((at >> 2) / columns);
    put(data, at, bright(x, y), blue(x, y), red(x, y));
    data[at + 3] = 255;
  }
  return { width: columns, height: rows, data };
}

/** The value of a component at a pixel of the small picture, 0 to 255. */
type Sampler = (x: number, y: number) => number;

function samplesOf(
  { means, stride, across, down }: Plane,
  { acrossMax, downMax }: Frame,
  step: number,
): Sampler {
  const [perX, perY] = [across / acrossMax, down / downMax];
  return (x, y) => {
    const mean = means[Math.floor(y * perY) * stride + Math.floor(x * perX)] as number;
    return (mean * step) / BLOCK_SIDE + 128;
  };
}

function putGrey(data: Uint8Array, at: number, bright: number): void {
  putRgb(data, at, bright, bright, bright);
}

/** JFIF's colours. */
function putYcc(data: Uint8Array, at: number, bright: number, blue: number, red: number): void {
  const [cb, cr] = [blue - 128, red - 128];
  putRgb(
    data,
    at,
    bright + 1.402 * cr,
    bright - 0.344136 * cb - 0.714136 * cr,
    bright + 1.772 * cb,
  );
}

function putRgb(data: Uint8Array, at: number, red: number, green: number, blue: number): void {
  data[at] = clamped(red);
  data[at + 1] = clamped(green);
  data[at + 2] = clamped(blue);
}

function clamped(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)));
}
