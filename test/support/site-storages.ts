/** Batches and chunks through any storage of a regional node. */
import assert from 'node:assert/strict';

import { utf8 } from '../../src/base/bytes.ts';
import type { BatchId } from '../../src/batch/batch-id.ts';
import {
  type Chunk,
  chunkSpan,
  encodeChunk,
  layoutOf,
  parseChunk,
} from '../../src/batch/chunks.ts';
import { type BatchOutcome, openBatch } from '../../src/batch/open-batch.ts';
import type { SealedBatch } from '../../src/batch/seal-batch.ts';
import type {
  Claim,
  KeepOutcome,
  SiteKeeper,
  SiteStorage,
} from '../../src/regional/site-storage.ts';
import { HUB, HUB_ID, OPENING, SITE } from './batches.ts';

/** What a site would make of batches; its receipts are words. */
export const KEEPER: SiteKeeper = {
  receiptFor: (id, _manifest, { history, isLoose }) =>
    utf8(`${id} ${history}${isLoose ? ' loose' : ''}`),
  reopen: (hub, id, bytes, publicKey) =>
    openBatch(bytes, { id, site: SITE, hub, publicKey }, OPENING),
  tell: () => undefined,
};

export function chunksOf(bytes: Uint8Array, dataBytesMax = 100): Chunk[] {
  const layout = layoutOf(bytes.length, dataBytesMax);
  return Array.from({ length: layout.total }, (_, index) => {
    const { from, to } = chunkSpan(layout, index);
    const outcome = parseChunk(encodeChunk(bytes.subarray(from, to), layout, index));
    assert.ok(outcome.kind === 'chunk');
    return outcome.chunk;
  });
}

/** Brings all chunks of a batch; whether the last of them made it complete. */
export async function putAll(site: SiteStorage, { id, bytes }: SealedBatch): Promise<boolean> {
  let isComplete = false;
  for (const chunk of chunksOf(bytes)) {
    const put = await site.put(HUB_ID, id, chunk);
    assert.equal(put.kind, 'kept');
    isComplete = put.kind === 'kept' && put.isComplete;
  }
  return isComplete;
}

export async function opened(
  claim: Claim,
  id: BatchId,
): Promise<Extract<BatchOutcome, { kind: 'batch' }>> {
  const expected = { id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
  const outcome = await openBatch(claim.bytes, expected, OPENING);
  assert.ok(outcome.kind === 'batch');
  return outcome;
}

/** Brings a batch and keeps it. */
export async function keepBatch(site: SiteStorage, batch: SealedBatch): Promise<KeepOutcome> {
  assert.ok(await putAll(site, batch));
  return keepComplete(site, batch.id);
}

export async function keepComplete(site: SiteStorage, id: BatchId): Promise<KeepOutcome> {
  const claim = await site.claim(HUB_ID, id);
  assert.ok(claim !== undefined, 'complete and in no other hands');
  const kept = await claim.keep(await opened(claim, id));
  await claim.release();
  return kept;
}
