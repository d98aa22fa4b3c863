/** What is said on the way down: a hello with the hub's key, a batch encrypted to it, its receipt, and a wish to wait. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import type { BatchId } from '../../src/batch/batch-id.ts';
import { ChunkBitmap } from '../../src/batch/wire/chunks.ts';
import { encodeDownReceipt } from '../../src/batch/wire/down-messages.ts';
import { openBatch } from '../../src/batch/open-batch.ts';
import {
  encodeDownHello,
  encodeHave,
  encodeHello,
  parseDownHello,
  parseHello,
} from '../../src/batch/wire/messages.ts';
import { batchRecipient } from '../../src/keys/batch-seal.ts';
import { verifyEd25519 } from '../../src/keys/identity.ts';
import { ALARM, COMMAND, RECORD } from '../../src/model/class.ts';
import { laneOf } from '../../src/model/origin.ts';
import { HUB, HUB_ID, OPENING, REGION, SITE, START_MS } from '../support/made/batches.ts';

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'batch-down-1.json'), 'utf8'),
) as Readonly<
  Record<'id' | 'batch' | 'sealKey' | 'hello' | 'downHello' | 'have' | 'downReceipt', string> & {
    ops: readonly string[];
  }
>;

/** What is said since of waiting with some classes. */
const second = JSON.parse(
  readFileSync(join(import.meta.dirname, 'batch-down-2.json'), 'utf8'),
) as Readonly<Record<'have', string>>;

/** What a region that is older than its receipts is told, and says. */
const third = JSON.parse(
  readFileSync(join(import.meta.dirname, 'batch-down-3.json'), 'utf8'),
) as Readonly<Record<'hello' | 'downHello', string>>;

const ID = '00112233445566778899aabbccddeeff' as BatchId;
const greeting = {
  nonce: new Uint8Array(8).fill(9),
  software: '0.1.0',
  formats: [1, 2, 3],
  compressions: ['none', 'brotli'],
  encodings: ['rows', 'columns'],
} as const;

test('the batch opens with the key that follows from the identity of the hub', async () => {
  const recipient = batchRecipient(HUB);
  assert.equal(hexOf(recipient.publicKey), golden.sealKey);
  const hub = REGION.id;
  const expected = { id: golden.id as BatchId, site: SITE, hub, publicKey: REGION.publicKey };
  const bytes = bytesOfHex(golden.batch) as Uint8Array;
  const outcome = await openBatch(bytes, expected, { ...OPENING, opener: recipient });
  assert.ok(outcome.kind === 'batch');
  assert.deepEqual(
    outcome.entries.map((entry) => hexOf(entry.bytes)),
    golden.ops,
  );
});

test('hello, greeting, have and receipt', () => {
  const vector = new Map([[laneOf(REGION.id, RECORD), 7]]);
  const part = { batch: ID, chunks: ChunkBitmap.fromBytes(3, Uint8Array.of(0b1010_0000)) };
  assert.ok(part.chunks !== undefined);
  const down = { vector, takes: [COMMAND, RECORD] as const, part: { batch: ID, chunks: part.chunks } };
  const sealKey = bytesOfHex(golden.sealKey) as Uint8Array;
  const hello = { ...greeting, site: SITE, spooled: [], down, sealKey };
  assert.equal(hexOf(encodeHello(hello, HUB)), golden.hello);
  const wait = { seconds: 90, why: 'the quota of the day is spent' };
  const answer = { ...greeting, hub: HUB_ID, waiting: 2, wait };
  assert.equal(hexOf(encodeDownHello(answer, REGION)), golden.downHello);
  const but = { ...wait, takes: [ALARM, COMMAND] as const };
  const partly = encodeHave({ hub: HUB_ID, batch: ID, chunks: part.chunks, wait: but }, REGION);
  assert.equal(hexOf(partly), second.have);
  const have = { hub: HUB_ID, batch: ID, chunks: part.chunks, wait };
  assert.equal(hexOf(encodeHave(have, REGION)), golden.have);
  const taken = { hub: HUB_ID, batch: ID, outcome: 'taken', reason: '', atMs: START_MS } as const;
  assert.equal(hexOf(encodeDownReceipt(taken, HUB)), golden.downReceipt);
});

test('the newest receipted batches, and those of them that the region has lost', () => {
  const hello = { ...greeting, site: SITE, spooled: [], tips: [ID] };
  assert.equal(hexOf(encodeHello(hello, HUB)), third.hello);
  assert.deepEqual(parseHello(bytesOfHex(third.hello) as Uint8Array, verifyEd25519)?.tips, [ID]);
  const answer = { ...greeting, hub: HUB_ID, forgot: [ID] };
  assert.equal(hexOf(encodeDownHello(answer, REGION)), third.downHello);
  const bytes = bytesOfHex(third.downHello) as Uint8Array;
  assert.deepEqual(parseDownHello(bytes, verifyEd25519)?.forgot, [ID]);
});
