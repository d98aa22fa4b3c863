import assert from 'node:assert/strict';

import { test } from 'vitest';

import type { BatchId } from '../../../../src/batch/batch-id.ts';
import { ChunkBitmap } from '../../../../src/batch/wire/chunks.ts';
import {
  encodeDownHello,
  encodeHave,
  encodeHello,
  type Have,
  parseDownHello,
  parseHave,
  parseHello,
} from '../../../../src/batch/wire/messages.ts';
import { encodeReceipt, parseReceipt, type Receipt } from '../../../../src/batch/wire/receipt.ts';
import { encodeDownReceipt, parseDownReceipt } from '../../../../src/batch/wire/down-messages.ts';
import { encodeCbor } from '../../../../src/codec/writer.ts';
import { signCose } from '../../../../src/codec/cose.ts';
import { originOfPublicKey } from '../../../../src/hashes.ts';
import { verifyEd25519 } from '../../../../src/keys/identity.ts';
import { bytesOfOrigin } from '../../../../src/model/origin.ts';
import { HUB, HUB_ID, identityOf, REGION, SITE, START_MS } from '../../../support/made/batches.ts';

const BATCH = '0123456789abcdef0123456789abcdef' as BatchId;
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const GREETING = {
  nonce: NONCE,
  software: '0.1.0',
  formats: [1],
  compressions: ['none', 'brotli'] as const,
  encodings: ['rows', 'columns'] as const,
};
const HELLO = encodeHello({ ...GREETING, site: SITE, spooled: [BATCH] }, HUB);
const HAVE: Have = { hub: HUB_ID, batch: BATCH, chunks: new ChunkBitmap(9) };
const RECEIPT: Receipt = {
  hub: HUB_ID,
  batch: BATCH,
  outcome: 'stored',
  reason: undefined,
  class: 3,
  ranges: [{ origin: HUB_ID, class: 3, from: 4, to: 9 }],
  ops: 6,
  root: new Uint8Array(32).fill(5),
  awaits: undefined,
  atMs: START_MS,
  quality: 'ntp',
};

test('a hello says who the hub is, and proves it', () => {
  assert.deepEqual(parseHello(HELLO, verifyEd25519), {
    ...GREETING,
    hub: HUB_ID,
    publicKey: HUB.publicKey,
    site: SITE,
    spooled: [BATCH],
  });
});

test('a hello with the key of another is none', () => {
  const fields = {
    key: HUB.publicKey,
    nonce: NONCE,
    software: '',
    formats: [],
    compressions: [],
    encodings: [],
  };
  const payload = encodeCbor(new Map(Object.entries({ ...fields, site: SITE, spooled: [] })));
  const type = 'application/vnd.heliograph.hello+cbor';
  const thief = identityOf(9);
  for (const keyId of [bytesOfOrigin(HUB_ID), bytesOfOrigin(originOfPublicKey(thief.publicKey))]) {
    const forged = signCose(payload, { contentType: type, keyId }, (bytes) => thief.sign(bytes));
    assert.equal(parseHello(forged, verifyEd25519), undefined);
  }
});

test('a down-hello repeats the nonce', () => {
  const bytes = encodeDownHello({ ...GREETING, hub: HUB_ID }, REGION);
  assert.deepEqual(parseDownHello(bytes, verifyEd25519), {
    ...GREETING,

    hub: HUB_ID,
    publicKey: REGION.publicKey,
  });
  assert.equal(parseHello(bytes, verifyEd25519), undefined, 'one message never passes for another');
});

test('have and receipt come back as they were sent, under the right key only', () => {
  HAVE.chunks.add(4);
  const have = encodeHave(HAVE, REGION);
  const parsed = parseHave(have, REGION.publicKey, verifyEd25519);
  assert.deepEqual(parsed?.chunks.toBytes(), HAVE.chunks.toBytes());
  assert.equal(parseHave(have, HUB.publicKey, verifyEd25519), undefined);
  const stored = encodeReceipt(RECEIPT, REGION);
  assert.deepEqual(parseReceipt(stored, REGION.publicKey, verifyEd25519), RECEIPT);
  assert.equal(parseReceipt(stored, HUB.publicKey, verifyEd25519), undefined);
  const outcome = { outcome: 'refused' as const, reason: 'wrong root' };
  const refused: Receipt = { ...RECEIPT, ...outcome, awaits: BATCH };
  const bytes = encodeReceipt(refused, REGION);
  assert.deepEqual(parseReceipt(bytes, REGION.publicKey, verifyEd25519), refused);
});

test('what a hub says of a batch from above counts under its own key only', () => {
  const taken = {
    hub: HUB_ID,
    batch: BATCH,
    outcome: 'taken',
    reason: '',
    atMs: START_MS,
  } as const;
  const bytes = encodeDownReceipt(taken, HUB);
  assert.deepEqual(parseDownReceipt(bytes, HUB.publicKey, verifyEd25519), taken);
  const forged = encodeDownReceipt(taken, identityOf(9));
  assert.equal(parseDownReceipt(forged, HUB.publicKey, verifyEd25519), undefined);
});

test('no flipped or missing byte of any message gets through', () => {
  const messages: [Uint8Array, (bytes: Uint8Array) => unknown][] = [
    [HELLO, (bytes) => parseHello(bytes, verifyEd25519)],
    [encodeHave(HAVE, REGION), (bytes) => parseHave(bytes, REGION.publicKey, verifyEd25519)],
    [encodeReceipt(RECEIPT, REGION), (b) => parseReceipt(b, REGION.publicKey, verifyEd25519)],
  ];
  for (const [good, parse] of messages) {
    for (let at = 0; at < good.length; at++) {
      const flipped = good.slice();
      flipped[at] = (flipped[at] as number) ^ 0x01;
      assert.equal(parse(flipped), undefined, `byte ${at}`);
      assert.equal(parse(good.slice(0, at)), undefined, `cut at ${at}`);
    }
  }
});
