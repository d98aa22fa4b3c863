/**
 * Versions of assets (WIRE.cddl `asset-version`): which content a record's asset has, with hints for whoever has to
 * choose between versions. A version is a write of the record's field with the empty name, which no patch can write:
 * so the order, tombstones, undo, conflicts and the digest hold for assets as they hold for fields (MERGE.md §3).
 */
import { isLongerThan } from '../../base/bytes.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { ASSET_VERSION, CONTENT_BYTES_MAX, CONTENT_HASH_BYTES } from '../../model/asset-bytes.ts';
import { isMediaType } from '../../model/media-type.ts';
import { type OpId, readOpId, writeOpId } from '../op-id.ts';

/** Name of the field that an asset's versions write. */
export const ASSET_FIELD = '';
/** Where the hash lies in a body: a store finds versions by their content. */
export const ASSET_HASH_AT = 4;
const NOTE_BYTES_MAX = 2048;
const TAGS_MAX = 16;
const TAG_BYTES_MAX = 64;
const BASES_MAX = 16;

/** A part of a picture: x, y, width, height in pixels of the content. */
export type AssetRegion = readonly [x: number, y: number, width: number, height: number];

export interface AssetVersion {
  /** SHA-256 of the content. */
  readonly sha256: Uint8Array;
  readonly size: number;
  /** Media type, such as `image/jpeg`. */
  readonly type: string;
  /** The versions that its maker had before its eyes, as `seen` of a patch; undefined: it told nothing. */
  readonly base?: readonly OpId[];
  readonly note?: string;
  readonly tags?: readonly string[];
  /** What has changed. */
  readonly region?: AssetRegion;
}

/** In the order of their encoded names. */
const HINTS = ['base', 'note', 'tags', 'region'];

/** The version, aliasing `body`, or undefined where it is none. */
export function readAssetVersion(body: Uint8Array): AssetVersion | undefined {
  try {
    const reader = new CborReader(body);
    const version = readVersion(reader);
    return reader.atEnd ? version : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

export function encodeAssetVersion(version: AssetVersion): Uint8Array {
  const { sha256, size, type, base, note, tags, region } = version;
  const writer = new CborWriter(256)
    .array(5)
    .uint(ASSET_VERSION)
    .bytes(sha256)
    .uint(size)
    .text(type);
  writer.map([base, note, tags, region].filter((hint) => hint !== undefined).length);
  if (base !== undefined) {
    writer.text('base').array(base.length);
    for (const id of base) writeOpId(writer, id);
  }
  if (note !== undefined) writer.text('note').text(note);
  if (tags !== undefined) {
    writer.text('tags').array(tags.length);
    for (const tag of tags) writer.text(tag);
  }
  if (region !== undefined) {
    writer.text('region').array(region.length);
    for (const number of region) writer.uint(number);
  }
  return writer.finish();
}

function readVersion(reader: CborReader): AssetVersion {
  const fail = (reason: string): never => {
    throw new CborError(reason, reader.offset);
  };
  reader.expectArray(5);
  if (reader.uint() !== ASSET_VERSION) fail('not a version');
  const sha256 = reader.bytes();
  if (sha256.length !== CONTENT_HASH_BYTES) fail('a content has a SHA-256');
  const size = reader.uint();
  if (size === 0 || size > CONTENT_BYTES_MAX) fail('size of the content');
  const type = reader.text();
  if (!isMediaType(type)) fail('media type');
  const hints: { -readonly [K in keyof AssetVersion]?: AssetVersion[K] } = {};
  let last = -1;
  for (let left = reader.map(); left > 0; left--) {
    const at = HINTS.indexOf(reader.text());
    if (at <= last) fail('unknown hint, or out of order');
    last = at;
    if (at === 0) hints.base = listOf(reader, 0, BASES_MAX, () => readOpId(reader));
    else if (at === 1) hints.note = textOf(reader, NOTE_BYTES_MAX);
    else if (at === 2)
      hints.tags = listOf(reader, 1, TAGS_MAX, () => textOf(reader, TAG_BYTES_MAX));
    else hints.region = listOf(reader, 4, 4, () => reader.uint()) as unknown as AssetRegion;
  }
  return { sha256, size, type, ...hints };
}

function textOf(reader: CborReader, bytesMax: number): string {
  const text = reader.text();
  if (text === '' || isLongerThan(text, bytesMax))
    throw new CborError('text of a hint', reader.offset);
  return text;
}

function listOf<T>(reader: CborReader, countMin: number, countMax: number, read: () => T): T[] {
  const count = reader.array();
  if (count < countMin || count > countMax)
    throw new CborError('too few or too many', reader.offset);
  return Array.from({ length: count }, () => read());
}
