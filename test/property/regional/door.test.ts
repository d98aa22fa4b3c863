/**
 * A hub that signs what nobody can take, and whoever else may publish at the broker: none of it ends the regional node,
 * takes anything from others, fills its disk or counts twice, and what the hub has signed gets an answer that says why.
 */
import assert from 'node:assert/strict';
import { brotliCompressSync } from 'node:zlib';

import fc from 'fast-check';
import { test } from 'vitest';

import { hexOf } from '../../../src/base/bytes.ts';
import { below } from '../../../src/base/random.ts';
import { RAW_BYTES_MAX } from '../../../src/batch/limits.ts';
import { type Manifest, MANIFEST_TYPE, signManifest } from '../../../src/batch/manifest.ts';
import { splitBatch } from '../../../src/batch/open-batch.ts';
import { chunkSpan, encodeChunk, layoutOf } from '../../../src/batch/wire/chunks.ts';
import { encodeHello, READABLE } from '../../../src/batch/wire/messages.ts';
import { parseReceipt, type Receipt } from '../../../src/batch/wire/receipt.ts';
import { downstreamFilters, helloTopic } from '../../../src/batch/wire/topics.ts';
import { parseCose, signCose } from '../../../src/codec/cose.ts';
import { CborWriter } from '../../../src/codec/writer.ts';
import { sha256 } from '../../../src/hashes.ts';
import { verifyEd25519 } from '../../../src/keys/identity.ts';
import { BULK } from '../../../src/model/class.ts';
import { bytesOfOrigin } from '../../../src/model/origin.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import {
  batchOf,
  HUB_ID,
  identityOf,
  REGION,
  SITE,
  stampedOp,
  stampedOps,
} from '../../support/made/batches.ts';
import { mutated } from '../../support/made/mutations.ts';
import { UplinkWorld } from '../../support/simulated/uplink-world.ts';

const LIAR = identityOf(66);
const ADDRESS = { site: SITE, hub: LIAR.id };
const BASE = `heliograph/v1/${SITE}/${LIAR.id}`;
const LIMITS = { partsMax: 8, partBytesMax: 1 << 20, parkedMax: 6 };
const OPS = 40;
const SAFE = Number.MAX_SAFE_INTEGER;

interface Made {
  readonly manifest: Manifest;
  readonly payload: Uint8Array;
}
type Lie = (truth: Made) => Made;

const told =
  (parts: (manifest: Manifest) => Partial<Manifest>): Lie =>
  ({ manifest, payload }) => ({ manifest: { ...manifest, ...parts(manifest) }, payload });

/** With another payload, of which the manifest says the truth. */
function paid(payload: Uint8Array, parts: Partial<Manifest>): Lie {
  const facts = { payloadSha256: sha256(payload), payloadBytes: payload.length };
  return ({ manifest }) => ({ manifest: { ...manifest, ...facts, ...parts }, payload });
}

const NESTED = new Uint8Array(100_000).fill(0x81);
const COUNTLESS = Uint8Array.of(0x9b, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
const BOMB = brotliCompressSync(new Uint8Array(64 << 20));
const NO_TREE = new Uint8Array(32);

/** What a hub may sign and nobody may store. */
const LIES: readonly Lie[] = [
  told(() => ({ hub: HUB_ID })),
  told(() => ({ site: 'elsewhere' })),
  told(() => ({ class: BULK })),
  told(() => ({ fromLsn: 9, throughLsn: 8 })),
  told(({ ops }) => ({ ops: ops + 1 })),
  told(() => ({ ops: SAFE })),
  told(({ ranges }) => ({ ranges: ranges.map((range) => ({ ...range, to: SAFE })) })),
  told(({ ranges }) => ({ ranges: ranges.map((range) => ({ ...range, origin: HUB_ID })) })),
  told(() => ({ ranges: [] })),
  told(({ root }) => ({ root: root.toReversed() })),
  told(({ rawBytes }) => ({ rawBytes: rawBytes - 1 })),
  told(() => ({ rawBytes: RAW_BYTES_MAX })),
  told(() => ({ rawBytes: SAFE })),
  told(() => ({ compression: 'none' })),
  told(() => ({ compression: 'zstd' })),
  told(() => ({ encoding: 'rows' })),
  told(() => ({ sealedTo: new Uint8Array(8) })),
  told(() => ({ jurisdiction: 'XX' })),
  told(({ ops }) => ({ tree: { size: ops, root: NO_TREE } })),
  told(() => ({ tree: { size: 1, root: NO_TREE } })),
  paid(BOMB, { rawBytes: RAW_BYTES_MAX }),
  paid(BOMB, { rawBytes: 1_000 }),
  paid(NESTED, { rawBytes: NESTED.length, compression: 'none', encoding: 'rows' }),
  paid(NESTED, { rawBytes: NESTED.length, compression: 'none', encoding: 'columns' }),
  paid(COUNTLESS, { rawBytes: COUNTLESS.length, compression: 'none', encoding: 'rows' }),
  paid(COUNTLESS, { rawBytes: COUNTLESS.length, compression: 'none', encoding: 'columns' }),
];

/** The bytes of a batch with this manifest, as `content` makes it, under the liar's signature. */
function signed(
  { manifest, payload }: Made,
  content: (encoded: Uint8Array) => Uint8Array,
): Uint8Array {
  const { payload: encoded } = parseCose(signManifest(manifest, LIAR));
  const header = { contentType: MANIFEST_TYPE, keyId: bytesOfOrigin(LIAR.id) };
  const cose = signCose(content(encoded), header, (message) => LIAR.sign(message));
  return new CborWriter(1024).array(2).bytes(cose).bytes(payload).finish();
}

function idOf(bytes: Uint8Array): string {
  const parts = splitBatch(bytes);
  assert.ok(parts !== undefined);
  return parts.id;
}

test('a hub that lies is answered, parked within limits, and takes nothing from the others', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const random = new SeededRandom(seed);
      const it = new UplinkWorld({ seed, regional: LIMITS, uplink: { replyMsMax: 5_000 } });
      it.terms.accepts = [''];
      await it.startRegion();
      it.startHub();
      const receipts = new Map<string, Receipt>();
      const connecting = it.broker.client({ delayMs: 1, doubleRatio: 0.1, jitterMs: 40 }).connect(
        { url: 'mqtt://sim', clientId: 'liar', keepaliveS: 60, connectTimeoutMs: 1_000 },
        {
          onMessage: async (_topic, payload) => {
            const receipt = parseReceipt(payload, REGION.publicKey, verifyEd25519);
            if (receipt !== undefined) receipts.set(receipt.batch, receipt);
          },
          onClose: () => undefined,
        },
      );
      const session = await it.until(connecting);
      await it.until(session.subscribe(downstreamFilters(ADDRESS)));
      const publish = (topic: string, payload: Uint8Array): Promise<void> =>
        it.until(session.publish(topic, payload, { qos: 1 }));
      const greeting = { site: SITE, nonce: new Uint8Array(8), software: 'x', spooled: [] };
      const hello = encodeHello({ ...greeting, ...READABLE }, LIAR);
      await publish(helloTopic(ADDRESS), hello);
      await publish(helloTopic({ site: SITE, hub: HUB_ID }), hello);
      /** All chunks of a batch, in any order and some twice; `spoil` makes others of them. */
      const send = async (
        id: string,
        bytes: Uint8Array,
        spoil: (message: Uint8Array) => Uint8Array = (message) => message,
      ): Promise<void> => {
        const layout = layoutOf(bytes.length, 200 + below(random, 40_000));
        const order = Array.from({ length: layout.total }, (_, index) => index);
        while (order.length > 0) {
          const [index = 0] = order.splice(below(random, order.length), 1);
          const { from, to } = chunkSpan(layout, index);
          const message = encodeChunk(bytes.subarray(from, to), layout, index);
          await publish(`${BASE}/up/${id}/${index}`, spoil(message));
        }
      };
      const sent = Array.from({ length: OPS }, (_, at) => stampedOp(at + 1, {}, LIAR.id));
      const { manifest, bytes: whole } = await batchOf(sent, {}, LIAR);
      const payload = splitBatch(whole)?.payload as Uint8Array;
      const refusable: string[] = [];
      for (let at = 0; at < 12; at++) {
        const lie = LIES[below(random, LIES.length)] as Lie;
        const bytes = signed(lie({ manifest, payload }), (encoded) => encoded);
        const noise = mutated(whole, random);
        refusable.push(idOf(bytes));
        it.journal.append(...stampedOps(at * 3 + 1, at * 3 + 3));
        await send(idOf(bytes), bytes);
        // Under a signature that is not over it, with a manifest that is none, and in chunks that are none.
        await send(hexOf(sha256(noise)).slice(0, 32), noise);
        const odd = signed({ manifest, payload }, (encoded) => mutated(encoded, random));
        await send(idOf(odd), odd);
        await send(idOf(whole), whole, (message) => mutated(message, random));
        for (const topic of ['hello', 'resume', 'c', `down-receipt/${idOf(odd)}`])
          await publish(`${BASE}/${topic}`, mutated(hello, random));
        await publish(`hg/${LIAR.id.slice(0, 8)}`, mutated(whole.subarray(0, 300), random));
      }
      await it.deliver();
      await it.clock.advance(10_000);
      for (const id of refusable) {
        const receipt = receipts.get(id);
        assert.equal(receipt?.outcome, 'refused', id);
        assert.notEqual(receipt.reason ?? '', '');
      }
      const count = (folder: string): number =>
        it.regionFiles.list(`region/sites/${SITE}/${folder}`).length;
      assert.ok(count('parked') <= 2 * LIMITS.parkedMax, 'a batch and its reason');
      assert.ok(count('incoming') <= LIMITS.partsMax);
      // What is true is taken all the same, and what is stored is what was signed.
      await send(idOf(whole), whole);
      await it.clock.advance(10_000);
      assert.equal(receipts.get(idOf(whole))?.outcome, 'stored');
      const signedOps = [...sent, ...stampedOps(1, 36)].map(({ bytes }) => hexOf(bytes));
      assert.deepEqual([...it.store.ops.values()].toSorted(), signedOps.toSorted());
      await it.stop();
      assert.deepEqual(it.fatal, []);
    }),
    { numRuns: 8 },
  );
});
