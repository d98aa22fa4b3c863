/** What comes to a regional node and is not as it should be, through all of a site and each kind of storage. */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { below, type Random } from '../../src/base/random.ts';
import { inlineCompressor } from '../../src/batch/compression.ts';
import type { SealedBatch } from '../../src/batch/seal-batch.ts';
import type { Chunk } from '../../src/batch/wire/chunks.ts';
import { verifyEd25519 } from '../../src/keys/identity.ts';
import { MachineClock, machineTimers } from '../../src/platform/clock.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';
import { DEFAULT_REGIONAL_LIMITS } from '../../src/regional/limits.ts';
import { Site } from '../../src/regional/site.ts';
import type { RegionStorage } from '../../src/regional/site-storage.ts';
import { batchOf, HUB, HUB_ID, REGION, SITE, stampedOps } from '../support/made/batches.ts';
import { chunksOf, keepBatch, placeOf, STORAGES } from '../support/memory/site-storages.ts';

const BATCHES = 4;
const OPS = 60;
const ROUNDS_MAX = 12;

interface Message {
  readonly batch: SealedBatch;
  readonly chunk: Chunk;
}

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

test.skipIf(STORAGES.hasPostgres)('PostgreSQL (skipped: needs postgres)', () => undefined);

async function chain(): Promise<SealedBatch[]> {
  const batches: SealedBatch[] = [];
  for (let at = 0; at < BATCHES; at++) {
    const ops = stampedOps(at * OPS + 1, (at + 1) * OPS);
    const place = { fromLsn: at * OPS + 1, throughLsn: (at + 1) * OPS };
    batches.push(await batchOf(ops, { previous: batches.at(-1)?.id, ...place }));
  }
  return batches;
}

async function siteOn(storage: RegionStorage, random: Random): Promise<Site> {
  const site = await Site.open({
    name: SITE,
    storage,
    signer: REGION,
    verify: verifyEd25519,
    compressor: inlineCompressor,
    clock: new MachineClock(),
    timers: machineTimers,
    log: SILENT_LOG,
    limits: DEFAULT_REGIONAL_LIMITS,
    random,
    publish: () => undefined,
  });
  await site.storage.meet(HUB_ID, HUB.publicKey);
  return site;
}

/** The chunks of a batch, each twice, and beside them what nobody should have sent. */
function messagesOf(batch: SealedBatch, stranger: SealedBatch, random: Random): Message[] {
  const messages = chunksOf(batch.bytes).flatMap((chunk) => [
    { batch, chunk },
    { batch, chunk },
  ]);
  const bytes = batch.bytes.slice();
  const at = below(random, bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ 0x11;
  const forged = chunksOf(bytes)[Math.floor(at / 100)];
  if (forged !== undefined && below(random, 2) === 0) messages.push({ batch, chunk: forged });
  if (below(random, 3) === 0) {
    const [cut] = chunksOf(batch.bytes.subarray(0, bytes.length - 150));
    if (cut !== undefined) messages.push({ batch, chunk: cut });
  }
  return [...messages, ...chunksOf(stranger.bytes).map((chunk) => ({ batch: stranger, chunk }))];
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(below(random, left.length), 1)[0] as T);
}

async function takeAll(site: Site, batch: SealedBatch['id']): Promise<void> {
  const waiting = [batch];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    waiting.push(...(await site.take(HUB_ID, next)).freed);
  }
}

describe.each(STORAGES.kinds)('bad input: %s', (_name, make) => {
  test.each([1, 2])(
    'forged, doubled, cut short, in any order and again: each op counts once, seed %i',
    async (seed) => {
      const random = new SeededRandom(seed);
      const batches = await chain();
      // Under the hub's name, and signed by somebody else.
      const stranger = await batchOf(stampedOps(900, 930), {}, REGION);
      const open = await make();
      let [storage, rounds] = [await open(), 0];
      let site = await siteOn(storage, random);
      const isDone = async (): Promise<boolean> => {
        const receipts = batches.map(({ id }) => site.storage.receipt(HUB_ID, id));
        return (await Promise.all(receipts)).every((receipt) => receipt !== undefined);
      };
      for (; rounds < ROUNDS_MAX && !(await isDone()); rounds++) {
        // A hub sends again what has no receipt; the first rounds bring harm with it.
        const messages =
          rounds < 3
            ? batches.flatMap((batch) => messagesOf(batch, stranger, random))
            : batches.flatMap((batch) => chunksOf(batch.bytes).map((chunk) => ({ batch, chunk })));
        for (const { batch, chunk } of shuffled(messages, random)) {
          const put = await site.put(HUB_ID, batch.id, chunk);
          if (put.kind === 'kept' && put.isComplete) await takeAll(site, batch.id);
        }
        await site.close();
        await storage.close();
        storage = await open();
        site = await siteOn(storage, random);
        for (const { batch } of await site.complete()) await takeAll(site, batch);
      }
      assert.ok(await isDone(), `nothing is lost: ${rounds} rounds`);
      const clean = await placeOf(await make());
      for (const batch of batches) await keepBatch(clean.site, batch);
      assert.deepEqual(await site.storage.digest(), await clean.site.digest());
      assert.equal(await site.storage.batches(), BATCHES);
      assert.equal(await site.storage.receipt(HUB_ID, stranger.id), undefined);
      await clean.close();
      await site.close();
      await storage.close();
    },
  );
});
