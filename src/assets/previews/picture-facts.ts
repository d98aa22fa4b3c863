/**
 * What the head of a picture says, before anything of it is decoded: its format and its size, so that a small file that
 * claims to be an enormous picture is turned away for the price of reading its head.
 */
interface PictureFacts {
  readonly format: 'jpeg' | 'png';
  readonly width: number;
  readonly height: number;
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const PNG_HEAD_BYTES = 24;
/** Frames of JPEG: SOF0 … SOF15, without DHT (C4), JPG (C8) and DAC (CC). */
const NO_FRAME: ReadonlySet<number> = new Set([0xc4, 0xc8, 0xcc]);
const SEGMENTS_MAX = 500;

/** Undefined where the bytes are neither JPEG nor PNG, or end before they tell. */
export function pictureFacts(bytes: Uint8Array): PictureFacts | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (PNG_SIGNATURE.every((byte, index) => bytes[index] === byte)) return pngFacts(view);
  return bytes[0] === 0xff && bytes[1] === 0xd8 ? jpegFacts(view) : undefined;
}

function pngFacts(view: DataView): PictureFacts | undefined {
  if (view.byteLength < PNG_HEAD_BYTES) return undefined;
  return sized('png', view.getUint32(16), view.getUint32(20));
}

function jpegFacts(view: DataView): PictureFacts | undefined {
  let at = 2;
  for (let count = 0; count < SEGMENTS_MAX && at + 9 <= view.byteLength; count++) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // A fill byte.
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAME.has(marker)) {
      return sized('jpeg', view.getUint16(at + 7), view.getUint16(at + 5));
    }
    if (marker === 0xda || marker === 0xd9) return undefined;
    at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

function sized(
  format: PictureFacts['format'],
  width: number,
  height: number,
): PictureFacts | undefined {
  return width > 0 && height > 0 ? { format, width, height } : undefined;
}
