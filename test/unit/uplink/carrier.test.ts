/** What a hub carries for others: up to the region, and the answers back. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { inlineCompressor } from '../../../src/batch/compression.ts';
import type { CarriedMessage } from '../../../src/batch/bundle.ts';
import { encodeChunk } from '../../../src/batch/wire/chunks.ts';
import { encodeReceipt } from '../../../src/batch/wire/receipt.ts';
import { chunkTopic, helloTopic, receiptTopic } from '../../../src/batch/wire/topics.ts';
import { verifyEd25519 } from '../../../src/keys/identity.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { Carrier, type CarrierPort } from '../../../src/uplink/carrier.ts';
import { Outbox } from '../../../src/uplink/outbox.ts';
import { trustRegion } from '../../../src/uplink/region-key.ts';
import {
  batchOf,
  HUB,
  identityOf,
  REGION,
  SITE,
  START_MS,
  stampedOps,
} from '../../support/made/batches.ts';
import { MemoryJournal } from '../../support/memory/memory-journal.ts';

const OTHER = { site: SITE, hub: identityOf(5).id };

const EMPTY = {
  sealableClasses: () => [],
  busy: () => undefined,
  unsealedOps: () => 0,
  sendable: () => [],
  get: () => undefined,
};

function carrierOf(knowsRegion: boolean, outbox: object = EMPTY): Carrier {
  const random = new SeededRandom(1);
  const files = new SimFiles({ random });
  files.makeDir('uplink');
  if (knowsRegion) trustRegion(files, 'uplink/region.pub', REGION.publicKey);
  const port = {
    outbox,
    countAll: () => Promise.resolve(),
    meets: () => true,
    takeReceipt: () => undefined,
  };
  return new Carrier(
    {
      files,
      random,
      dir: 'uplink',
      site: SITE,
      signer: HUB,
      verify: verifyEd25519,
      clock: new SimClock(START_MS),
      syncLog: { append: () => undefined },
      log: SILENT_LOG,
      software: 'test',
    },
    port as unknown as CarrierPort,
  );
}

async function batchesOfOther(
  signer = REGION,
): Promise<{ up: CarriedMessage[]; receipts: CarriedMessage[] }> {
  const up: CarriedMessage[] = [{ topic: helloTopic(OTHER), payload: new Uint8Array([1]) }];
  const receipts: CarriedMessage[] = [];
  for (const seq of [1, 11]) {
    const { id, bytes, manifest } = await batchOf(stampedOps(seq, seq + 9));
    const layout = { total: 1, batchBytes: bytes.length };
    up.push({ topic: chunkTopic(OTHER, id, 0), payload: encodeChunk(bytes, layout, 0) });
    const receipt = encodeReceipt(
      {
        hub: OTHER.hub,
        batch: id,
        outcome: 'stored',
        reason: undefined,
        class: manifest.class,
        ranges: manifest.ranges,
        ops: manifest.ops,
        root: manifest.root,
        awaits: undefined,
        atMs: START_MS,
        quality: 'ntp',
      },
      signer,
    );
    receipts.push({ topic: receiptTopic(OTHER, id), payload: receipt });
  }
  return { up, receipts };
}

async function carriedBy(carrier: Carrier): Promise<string[]> {
  const { carried } = await carrier.handOut('stick');
  return carried
    .flatMap((name) => carrier.carried(name))
    .map(({ topic }) => topic)
    .toSorted();
}

const topicsOf = (messages: readonly CarriedMessage[]): string[] =>
  messages.map(({ topic }) => topic).toSorted();

test('batches of others go on until the region has them, and the receipts go back', async () => {
  const carrier = carrierOf(true);
  const { up, receipts } = await batchesOfOther();
  assert.deepEqual(carrier.take(up), { receipts: 0, foreign: 3, passedOver: 0 });
  assert.deepEqual(await carriedBy(carrier), topicsOf(up));
  const [first, second] = receipts as [CarriedMessage, CarriedMessage];
  assert.deepEqual(carrier.take([first]), { receipts: 0, foreign: 1, passedOver: 0 });
  const [hello, , later] = up as [CarriedMessage, CarriedMessage, CarriedMessage];
  assert.deepEqual(await carriedBy(carrier), topicsOf([hello, later, first]));
  carrier.take([second]);
  assert.deepEqual(await carriedBy(carrier), topicsOf([first, second]));
});

test('a receipt on a stick that another than the region signed takes nothing out of it', async () => {
  const carrier = carrierOf(true);
  const { up, receipts } = await batchesOfOther(identityOf(9));
  carrier.take(up);
  carrier.take(receipts);
  assert.deepEqual(await carriedBy(carrier), topicsOf([...up, ...receipts]));
});

test('who does not know the region believes no receipt, and carries it all the same', async () => {
  const carrier = carrierOf(false);
  const { up, receipts } = await batchesOfOther();
  carrier.take(up);
  carrier.take(receipts);
  assert.deepEqual(await carriedBy(carrier), topicsOf([...up, ...receipts]));
  const nothing = { topic: 'heliograph/v2/x', payload: new Uint8Array() };
  assert.deepEqual(carrier.take([nothing]), { receipts: 0, foreign: 0, passedOver: 1 });
});

test('what comes again, by other ways and in other company, is carried once', async () => {
  const carrier = carrierOf(true);
  const { up, receipts } = await batchesOfOther();
  const [hello, first, second] = up as [CarriedMessage, CarriedMessage, CarriedMessage];
  carrier.take([hello, first]);
  carrier.take([first, second, second]);
  carrier.take([...up, ...receipts.slice(0, 1)]);
  carrier.take(up.toReversed());
  const carried = await carriedBy(carrier);
  assert.deepEqual(carried, [...new Set(carried)], 'each once');
  assert.ok(carried.includes(second.topic));
});

test('what a session seals at that moment goes onto the stick as well', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 40));
  const outbox = Outbox.open({
    journal,
    files: new SimFiles({ random: new SeededRandom(2) }),
    dir: 'uplink',
    site: SITE,
    signer: HUB,
    compressor: inlineCompressor,
    clock: new SimClock(START_MS),
    timers: machineTimers,
    log: SILENT_LOG,
    sealLimits: { opsMax: 15, opBytesMax: 1 << 20 },
    spoolBytesMax: 1 << 20,
  });
  while (outbox.unsealed.scan());
  const sealing = outbox.seal(TELEMETRY);
  const { isAll, left, batches } = await carrierOf(true, outbox).handOut('stick');
  assert.ok(await sealing);
  const counts = batches.map(({ ops }) => ops);
  assert.deepEqual({ isAll, left, counts }, { isAll: true, left: 0, counts: [15, 15, 10] });
  outbox.close();
});
