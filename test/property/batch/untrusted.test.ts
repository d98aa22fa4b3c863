/** Bytes that nobody vouches for end in a value, never in an exception and never in an acceptance. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import { parseChunk } from '../../../src/batch/wire/chunks.ts';
import {
  encodeDownHello,
  encodeHello,
  parseDownHello,
  parseHave,
  parseHello,
} from '../../../src/batch/wire/messages.ts';
import { parseReceipt } from '../../../src/batch/wire/receipt.ts';
import { openBatch, readOwnBatch } from '../../../src/batch/open-batch.ts';
import { parseDownstreamTopic, parseUpstreamTopic } from '../../../src/batch/wire/topics.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';
import { verifyEd25519 } from '../../../src/keys/identity.ts';
import { anyCbor } from '../../support/made/arbitrary.ts';
import {
  batchOf,
  expecting,
  HUB,
  HUB_ID,
  OPENING,
  REGION,
  SITE,
  stampedOps,
} from '../../support/made/batches.ts';

const GREETING = {
  nonce: new Uint8Array(8),
  software: 'x',
  formats: [1],
  compressions: [],
  encodings: [],
};
const HELLO = encodeHello({ ...GREETING, site: SITE, spooled: [] }, HUB);
const DOWN_HELLO = encodeDownHello({ ...GREETING, hub: HUB_ID }, REGION);

/** Noise, well-formed CBOR, and true messages with a piece changed. */
function anyBytes(truth: Uint8Array): fc.Arbitrary<Uint8Array> {
  const changed = fc
    .record({ at: fc.nat(truth.length - 1), piece: fc.uint8Array({ minLength: 1, maxLength: 4 }) })
    .map(({ at, piece }) => {
      const bytes = truth.slice();
      bytes.set(piece.subarray(0, truth.length - at), at);
      return bytes;
    })
    .filter((bytes) => Buffer.compare(bytes, truth) !== 0);
  return fc.oneof(fc.uint8Array({ maxLength: 300 }), anyCbor.map(encodeCbor), changed);
}

test('messages: noise is no message', () => {
  const region = REGION.publicKey;
  fc.assert(
    fc.property(anyBytes(HELLO), anyBytes(DOWN_HELLO), (hello, downHello) => {
      assert.equal(parseHello(hello, verifyEd25519), undefined);
      assert.equal(parseDownHello(downHello, verifyEd25519), undefined);
      assert.equal(parseHave(downHello, region, verifyEd25519), undefined);
      assert.equal(parseReceipt(downHello, region, verifyEd25519), undefined);
      assert.equal(parseChunk(hello).kind, 'invalid');
    }),
    { numRuns: 300 },
  );
});

test('batches: noise is no batch', async () => {
  const batch = await batchOf(stampedOps(1, 4));
  await fc.assert(
    fc.asyncProperty(anyBytes(batch.bytes), async (bytes) => {
      const outcome = await openBatch(bytes, expecting(batch), OPENING);
      assert.equal(outcome.kind, 'damaged');
      const own = readOwnBatch(bytes);
      assert.ok(own === undefined || own.id !== batch.id || own.manifest.ops === 4);
    }),
    { numRuns: 300 },
  );
});

test('topics: any text is ours or is not', () => {
  const address = { site: SITE, hub: HUB_ID };
  const level = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('heliograph', 'v1', SITE, HUB_ID, 'up', 'hello', 'a'.repeat(32), '0', '99999'),
  );
  fc.assert(
    fc.property(fc.array(level, { maxLength: 8 }), (levels) => {
      const topic = levels.join('/');
      const up = parseUpstreamTopic(topic);
      if (up !== undefined && up.kind !== 'brief-chunk')
        assert.ok(topic.startsWith(`heliograph/v1/${up.address.site}/${up.address.hub}/`));
      const down = parseDownstreamTopic(address, topic);
      if (down !== undefined) assert.ok(topic.startsWith(`heliograph/v1/${SITE}/${HUB_ID}/`));
    }),
  );
});
