/** Contents and blob stores for tests. */
import { createHash } from 'node:crypto';

import { BlobStore, type BlobStoreOptions } from '../../../src/assets/blob-store.ts';
import { type ContentId, contentIdOf } from '../../../src/assets/content-id.ts';
import { type AssetPiece, PIECE_BYTES_MAX } from '../../../src/model/asset-bytes.ts';
import type { Origin } from '../../../src/model/origin.ts';
import type { Files } from '../../../src/platform/files/files.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { DEVICE_A } from './ops.ts';

export interface Content {
  readonly bytes: Uint8Array;
  readonly sha256: Uint8Array;
  readonly id: ContentId;
}

/** `size` bytes that look like nothing else. */
export function contentOf(size: number, seed = 1): Content {
  const bytes = Uint8Array.from(
    { length: size },
    (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 0xff,
  );
  const sha256 = new Uint8Array(createHash('sha256').update(bytes).digest());
  return { bytes, sha256, id: contentIdOf(sha256) };
}

export function piecesOf({ bytes, sha256 }: Content, pieceBytes = PIECE_BYTES_MAX): AssetPiece[] {
  const pieces: AssetPiece[] = [];
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    pieces.push({
      sha256,
      size: bytes.length,
      offset,
      data: bytes.slice(offset, offset + pieceBytes),
    });
  }
  return pieces;
}

export function openBlobStore(
  files: Files,
  dir: string,
  change: Partial<BlobStoreOptions> = {},
): BlobStore {
  return BlobStore.open({
    files,
    dir,
    timers: machineTimers,
    log: SILENT_LOG,
    limits: { bytesMax: 10 << 20, countMax: 100, contentBytesMax: 4 << 20, freeBytesMin: 0 },
    receiptedLsn: () => undefined,
    doubtLsn: 0,
    ...change,
  });
}

export function putAll(
  store: Pick<BlobStore, 'put'>,
  pieces: readonly AssetPiece[],
  lsn = 1,
  origin: Origin = DEVICE_A,
): void {
  for (const piece of pieces) store.put(piece, { origin, lsn });
}

/** All of a content that is open, which is closed then. */
export async function bytesIn(store: BlobStore, id: ContentId): Promise<Uint8Array | undefined> {
  const content = await store.read(id);
  if (content === undefined) return undefined;
  const bytes = new Uint8Array(content.size);
  content.readAt(bytes, 0);
  content.close();
  return bytes;
}
