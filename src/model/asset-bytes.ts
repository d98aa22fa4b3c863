/**
 * The ops that carry the bytes of assets (WIRE.cddl `asset-piece`, `asset-preview`): kind asset like the version that names
 * them, but in a class of their own, so that they travel behind what is small. They leave no trace in the state; who
 * folds the journal hands them to the blob store (assets/ASSETS.md).
 *
 * Pieces lie on a grid, so that what has arrived is a bitmap and two senders of one content agree on where they stand.
 */
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { BULK, PREVIEW } from './class.ts';
import { ASSET, type Op } from './op.ts';

/** SHA-256 of a content, 32 bytes. */
export const CONTENT_HASH_BYTES = 32;
/** Pieces begin at a multiple of this, and are as long as one or end with the content. */
export const GRID_BYTES = 64 << 10;
export const PIECE_BYTES_MAX = 256 << 10;
export const PREVIEW_BYTES_MAX = 128 << 10;
const PREVIEW_SIDE_MAX = 4096;
/** A format limit; what a site takes is in its configuration. */
export const CONTENT_BYTES_MAX = 1 << 30;

/** First element of the three bodies. */
export const ASSET_VERSION = 0;
const PIECE = 1;
const PREVIEW_BODY = 2;

export interface AssetPiece {
  /** Of the whole content. */
  readonly sha256: Uint8Array;
  readonly size: number;
  /** A multiple of GRID_BYTES. */
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface AssetPreview {
  /** SHA-256 of the content that it shows. */
  readonly of: Uint8Array;
  readonly type: PreviewType;
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export type PreviewType = 'image/jpeg' | 'image/png';

/** True for a kind asset op that carries bytes instead of naming a version. */
export function carriesBytes({ kind, body }: Pick<Op, 'kind' | 'body'>): boolean {
  return kind === ASSET && (body[1] === PIECE || body[1] === PREVIEW_BODY);
}

/** The piece, its data aliasing the body; undefined where the body is none. */
export function readPiece(body: Uint8Array): AssetPiece | undefined {
  return guarded(body, (reader) => {
    reader.expectArray(5);
    if (reader.uint() !== PIECE) return undefined;
    const piece = {
      sha256: reader.bytes(),
      size: reader.uint(),
      offset: reader.uint(),
      data: reader.bytes(),
    };
    return isPiece(piece) ? piece : undefined;
  });
}

function isPiece({ sha256, size, offset, data }: AssetPiece): boolean {
  const end = offset + data.length;
  const isOnGrid = offset % GRID_BYTES === 0 && (end === size || end % GRID_BYTES === 0);
  const isSized = data.length > 0 && data.length <= PIECE_BYTES_MAX && size <= CONTENT_BYTES_MAX;
  return sha256.length === CONTENT_HASH_BYTES && isSized && isOnGrid && end <= size;
}

export function encodePiece({ sha256, size, offset, data }: AssetPiece): Uint8Array {
  const writer = new CborWriter(data.length + 64).array(5).uint(PIECE);
  return writer.bytes(sha256).uint(size).uint(offset).bytes(data).finish();
}

export function readPreview(body: Uint8Array): AssetPreview | undefined {
  return guarded(body, (reader) => {
    reader.expectArray(6);
    if (reader.uint() !== PREVIEW_BODY) return undefined;
    const of = reader.bytes();
    const type = reader.text();
    const [width, height] = [reader.uint(), reader.uint()];
    const data = reader.bytes();
    if (type !== 'image/jpeg' && type !== 'image/png') return undefined;
    const isSide = (side: number): boolean => side > 0 && side <= PREVIEW_SIDE_MAX;
    if (of.length !== CONTENT_HASH_BYTES || !isSide(width) || !isSide(height)) return undefined;
    if (data.length === 0 || data.length > PREVIEW_BYTES_MAX) return undefined;
    return { of, type, width, height, data };
  });
}

export function encodePreview({ of, type, width, height, data }: AssetPreview): Uint8Array {
  const writer = new CborWriter(data.length + 96).array(6).uint(PREVIEW_BODY).bytes(of);
  return writer.text(type).uint(width).uint(height).bytes(data).finish();
}

/** Why an op that carries bytes is not taken, or undefined where it is. */
export function unfitBytes({
  class: opClass,
  body,
}: Pick<Op, 'class' | 'body'>): string | undefined {
  if (body[1] === PIECE) {
    if (readPiece(body) === undefined) return 'malformed piece of an asset';
    return opClass === BULK ? undefined : 'pieces of assets travel in class bulk';
  }
  if (readPreview(body) === undefined) return 'malformed preview of an asset';
  return opClass === PREVIEW ? undefined : 'previews of assets travel in class preview';
}

function guarded<T>(body: Uint8Array, read: (reader: CborReader) => T): T | undefined {
  try {
    const reader = new CborReader(body);
    const value = read(reader);
    return reader.atEnd ? value : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}
