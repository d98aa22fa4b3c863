/** Pictures for tests: the left half red, the right half blue (JPEG) or transparent (PNG). */
import { crc32, deflateSync } from 'node:zlib';

import jpeg from 'jpeg-js';

export function jpegOf(width: number, height: number, quality = 80): Uint8Array {
  const data = new Uint8Array(width * height * 4);
  for (let at = 0; at < data.length; at += 4) {
    const isLeft = (at / 4) % width < width / 2;
    data.set(isLeft ? [255, 0, 0, 255] : [0, 0, 255, 255], at);
  }
  return new Uint8Array(jpeg.encode({ width, height, data }, quality).data);
}

/** `pixels`: compressed rows in place of the right ones. */
export function pngOf(width: number, height: number, pixels?: Uint8Array): Uint8Array {
  const rows = new Uint8Array(height * (1 + width * 4));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      rows.set(x < width / 2 ? [255, 0, 0, 255] : [0, 0, 0, 0], y * (1 + width * 4) + 1 + x * 4);
    }
  }
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  head.set([8, 6, 0, 0, 0], 8);
  return Uint8Array.from([
    0x89,
    0x50,
    0x4e,
    0x47,
    0x0d,
    0x0a,
    0x1a,
    0x0a,
    ...chunk('IHDR', head),
    ...chunk('IDAT', pixels ?? deflateSync(rows)),
    ...chunk('IEND', new Uint8Array(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** An APP1 segment that says how the camera was held. */
export function exifOf(orientation: number): Uint8Array {
  const tiff = [
    0x49,
    0x49,
    42,
    0,
    8,
    0,
    0,
    0,
    1,
    0,
    0x12,
    0x01,
    3,
    0,
    1,
    0,
    0,
    0,
    orientation,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ];
  const payload = [...new TextEncoder().encode('Exif\0\0'), ...tiff];
  return Uint8Array.from([0xff, 0xe1, 0, payload.length + 2, ...payload]);
}

/** The segment goes in behind the start of the picture. */
export function withExif(picture: Uint8Array, segment: Uint8Array): Uint8Array {
  return Uint8Array.from([...picture.subarray(0, 2), ...segment, ...picture.subarray(2)]);
}
