/** How a camera was held (EXIF tag 0x0112), and a picture turned accordingly. */
import type { Rgba } from './scale.ts';

/** 1 upright … 8, as EXIF has it; 1 where nothing is told. */
type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 0x0112;
const ENTRY_BYTES = 12;
const ENTRIES_MAX = 200;

/** Of the TIFF structure in an APP1 segment, behind `Exif\0\0`. */
export function orientationOf(tiff: Uint8Array | undefined): Orientation {
  if (tiff === undefined || tiff.length < 8) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length);
  const isLittle = view.getUint16(0) === 0x4949;
  const first = view.getUint32(4, isLittle);
  if (first + 2 > view.byteLength) return 1;
  const count = Math.min(view.getUint16(first, isLittle), ENTRIES_MAX);
  for (let index = 0; index < count; index++) {
    const at = first + 2 + index * ENTRY_BYTES;
    if (at + ENTRY_BYTES > view.byteLength) return 1;
    if (view.getUint16(at, isLittle) !== ORIENTATION_TAG) continue;
    const value = view.getUint16(at + 8, isLittle);
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}

/** True where width and height change places. */
export function isTurned(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** The picture upright. */
export function upright(picture: Rgba, orientation: Orientation): Rgba {
  if (orientation === 1) return picture;
  const { width, height, data } = picture;
  const [newWidth, newHeight] = isTurned(orientation) ? [height, width] : [width, height];
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++) {
      const [fromX, fromY] = sourceOf(orientation, x, y, width, height);
      const from = (fromY * width + fromX) * 4;
      turned.set(data.subarray(from, from + 4), (y * newWidth + x) * 4);
    }
  }
  return { width: newWidth, height: newHeight, data: turned };
}

function sourceOf(
  orientation: Orientation,
  x: number,
  y: number,
  width: number,
  height: number,
): readonly [number, number] {
  const [right, bottom] = [width - 1, height - 1];
  if (orientation === 2) return [right - x, y];
  if (orientation === 3) return [right - x, bottom - y];
  if (orientation === 4) return [x, bottom - y];
  if (orientation === 5) return [y, x];
  if (orientation === 6) return [y, bottom - x];
  if (orientation === 7) return [right - y, bottom - x];
  return orientation === 8 ? [right - y, x] : [x, y];
}
