/**
 * A small JPEG of a JPEG or PNG, upright. Runs in a process of its own (`run`), because decoding takes up to a second, and up to
 * 100 MB where a picture is not read at an eighth of its size. The decoders are optional packages in plain JavaScript, loaded when a preview is made: on a hub
 * whose pictures have no previews nobody pays for them.
 */
import { messageOf } from '../../base/errors.ts';
import { readEighth } from './jpeg/eighth.ts';
import { isTurned, orientationOf, upright } from './orientation.ts';
import { pictureFacts } from './picture-facts.ts';
import { type Rgba, shrink, sizeWithin } from './scale.ts';

export interface PreviewOrder {
  readonly bytes: Uint8Array;
  readonly widthMax: number;
  readonly heightMax: number;
  /** Larger pictures are not decoded. */
  readonly pixelsMax: number;
}

export type MadePreview =
  | {
      readonly kind: 'made';
      readonly width: number;
      readonly height: number;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'never'; readonly reason: string };

const QUALITY = 70;
/** Least part of its due width that a preview may have, where that spares decoding the whole picture. */
const WIDTH_SHARE_MIN = 0.75;
/** What jpeg-js may allocate: about 14 bytes a pixel, and something beside. */
const BYTES_PER_PIXEL = 24;
const MIB = 1 << 20;

export async function run(order: PreviewOrder): Promise<MadePreview> {
  const { bytes, widthMax, heightMax, pixelsMax } = order;
  const facts = pictureFacts(bytes);
  if (facts === undefined) return never('only JPEG and PNG have one');
  const pixels = facts.width * facts.height;
  if (pixels > pixelsMax) return never(`${facts.width} × ${facts.height} pixels are too many`);
  try {
    const jpeg = (await import('jpeg-js')).default;
    const due = sizeWithin(facts.width, facts.height, widthMax, heightMax);
    const isLarge = facts.width / 8 >= due.width * WIDTH_SHARE_MIN;
    const read =
      facts.format === 'png'
        ? await readPng(bytes)
        : ((isLarge ? readLargeJpeg(bytes, pixelsMax) : undefined) ??
          readJpeg(jpeg, bytes, pixels));
    const { picture, orientation } = read;
    const turned = isTurned(orientation);
    const { width, height } = sizeWithin(
      picture.width,
      picture.height,
      turned ? heightMax : widthMax,
      turned ? widthMax : heightMax,
    );
    const small = upright(shrink(picture, width, height), orientation);
    const { data } = jpeg.encode(small, QUALITY);
    return { kind: 'made', width: small.width, height: small.height, data: new Uint8Array(data) };
  } catch (error) {
    return never(`the picture cannot be read: ${messageOf(error)}`);
  }
}

interface ReadPicture {
  readonly picture: Rgba;
  readonly orientation: ReturnType<typeof orientationOf>;
}

async function readPng(bytes: Uint8Array): Promise<ReadPicture> {
  const { PNG } = (await import('pngjs')).default;
  return { picture: PNG.sync.read(Buffer.from(bytes)), orientation: 1 };
}

function readLargeJpeg(bytes: Uint8Array, pixelsMax: number): ReadPicture | undefined {
  const eighth = readEighth(bytes, pixelsMax);
  return eighth && { picture: eighth.picture, orientation: orientationOf(eighth.exif) };
}

function readJpeg(jpeg: typeof import('jpeg-js'), bytes: Uint8Array, pixels: number): ReadPicture {
  const picture: Rgba & { exifBuffer?: Uint8Array } = jpeg.decode(bytes, {
    useTArray: true,
    maxResolutionInMP: Math.ceil(pixels / 1e6) + 1,
    maxMemoryUsageInMB: 64 + Math.ceil((pixels * BYTES_PER_PIXEL) / MIB),
  });
  // jpeg-js leaves the second zero of `Exif\0\0` in front.
  return { picture, orientation: orientationOf(picture.exifBuffer?.subarray(1)) };
}

function never(reason: string): MadePreview {
  return { kind: 'never', reason };
}
