/** The way upstream under every crash, cut and lie that we could think of. */
import assert from 'node:assert/strict';

import { describe, test } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { ALARM, TELEMETRY } from '../../src/model/class.ts';
import type { BatchId } from '../../src/batch/batch-id.ts';
import { ChunkBitmap, encodeChunk } from '../../src/batch/wire/chunks.ts';
import type { MqttSession } from '../../src/platform/network/mqtt-client.ts';
import { encodeHave } from '../../src/batch/wire/messages.ts';
import { encodeReceipt, parseReceipt, type Receipt } from '../../src/batch/wire/receipt.ts';
import { haveTopic } from '../../src/batch/wire/topics.ts';
import { verifyEd25519 } from '../../src/keys/identity.ts';
import {
  HUB_ID,
  identityOf,
  REGION,
  SITE,
  stampedOp,
  stampedOps,
} from '../support/made/batches.ts';
import { UplinkWorld } from '../support/simulated/uplink-world.ts';

const OPS = 60;
const FAST = { uplink: { replyMsMax: 3_000, pauseMsMin: 500 } };

async function started(seed = 1): Promise<UplinkWorld> {
  const it = new UplinkWorld({ ...FAST, seed });
  await it.startRegion();
  it.startHub();
  return it;
}

function publishAll(it: UplinkWorld): void {
  it.journal.append(...stampedOps(1, OPS), stampedOp(1, { class: ALARM }));
}

async function expectAllDelivered(it: UplinkWorld, what: string): Promise<void> {
  await it.deliver();
  assert.equal(it.store.ops.size, OPS + 1, what);
  assert.deepEqual(it.fatal, [], what);
  assert.equal(it.uplink?.receiptedLsn, OPS + 1, what);
  await it.stop();
}

/** Somebody else at the same broker. */
function stranger(
  it: UplinkWorld,
  clientId: string,
  onMessage: (topic: string, payload: Uint8Array) => void,
): Promise<MqttSession> {
  const options = { url: 'mqtt://sim', clientId, keepaliveS: 60, connectTimeoutMs: 1_000 };
  const connecting = it.broker.client().connect(options, { onMessage, onClose: () => undefined });
  return it.until(connecting);
}

/** Messages and disk operations of a run in which nothing goes wrong. */
async function countedRun(): Promise<
  Record<'hub' | 'region' | 'hubFiles' | 'regionFiles', number>
> {
  const it = await started();
  const hubBefore = it.hubFiles.operations;
  const regionBefore = it.regionFiles.operations;
  publishAll(it);
  await it.deliver();
  await it.clock.advance(10_000);
  const counts = {
    hub: it.hubLink.messages,
    region: it.regionLink.messages,
    hubFiles: it.hubFiles.operations - hubBefore,
    regionFiles: it.regionFiles.operations - regionBefore,
  };
  await it.stop();
  return counts;
}

test('the link cut in the middle of any message, on either side', async () => {
  const counts = await countedRun();
  assert.ok(counts.hub > 6 && counts.region > 6);
  for (const side of ['hub', 'region'] as const) {
    for (let index = 0; index < counts[side]; index++) {
      const it = await started();
      it[`${side}Link`].link.cutAfterMessages = index;
      publishAll(it);
      await expectAllDelivered(it, `${side} cut in message ${index}`);
    }
  }
});

describe.each(['kill', 'powerCut'] as const)('%s', (how) => {
  test('of the hub after any disk operation', async () => {
    const { hubFiles: operations } = await countedRun();
    for (let index = 1; index <= operations; index++) {
      const it = await started(index);
      it.hubFiles.faults.crashAfter = it.hubFiles.operations + index;
      publishAll(it);
      await it.clock.advance(2_000);
      it.crashHub(how);
      await it.clock.advance(100);
      it.startHub();
      await expectAllDelivered(it, `crash after operation ${index}`);
    }
  });

  test('of the regional node after any disk operation', async () => {
    const { regionFiles: operations } = await countedRun();
    for (let index = 1; index <= operations; index++) {
      const it = await started(index);
      it.regionFiles.faults.crashAfter = it.regionFiles.operations + index;
      publishAll(it);
      await it.clock.advance(2_000);
      it.crashRegion(how);
      await it.clock.advance(100);
      await it.startRegion();
      await expectAllDelivered(it, `crash after operation ${index}`);
    }
  });
});

test('a restart of the regional node in the middle of a session costs no new session', async () => {
  const it = await started();
  it.journal.append(...stampedOps(1, OPS));
  await it.clock.advance(180);
  await it.until(it.region?.close() ?? Promise.resolve());
  await it.startRegion();
  it.journal.append(stampedOp(1, { class: ALARM }));
  await expectAllDelivered(it, 'restart');
});

test('everything that was ever sent, sent again: nothing is stored twice, the receipts are the same', async () => {
  const it = await started();
  const sent: [string, Uint8Array][] = [];
  const spy = await stranger(it, 'spy', (topic, payload) => void sent.push([topic, payload]));
  await it.until(spy.subscribe(['heliograph/#']));
  publishAll(it);
  await it.deliver();
  await it.clock.advance(10_000);
  const { applies } = it.store;
  const recorded = sent.splice(0);
  for (const [topic, payload] of recorded) await it.until(spy.publish(topic, payload, { qos: 1 }));
  await it.clock.advance(10_000);
  assert.equal(it.store.applies, applies);
  const receipts = (messages: [string, Uint8Array][]): Map<string, string> =>
    new Map(
      messages
        .filter(([topic]) => topic.includes('/receipt/'))
        .map(([topic, payload]) => [topic, Buffer.from(payload).toString('hex')]),
    );
  assert.deepEqual(receipts(sent), receipts(recorded));
  await expectAllDelivered(it, 'replay');
});

test('nonsense on every topic of ours harms nobody, and is told', async () => {
  const it = await started();
  const session = await stranger(it, 'vandal', () => undefined);
  const batch = '0'.repeat(32);
  const hubs = [`heliograph/v1/demo/${'ab'.repeat(8)}`, `heliograph/v1/demo/${HUB_ID}`];
  const topics = hubs.flatMap((base) => [
    `${base}/hello`,
    `${base}/down-hello`,
    `${base}/up/${batch}/0`,
    `${base}/up/${batch}/x`,
    `${base}/have/${batch}`,
    `${base}/receipt/${batch}`,
    `${base}/receipt/../..`,
  ]);
  publishAll(it);
  const payloads = [
    new Uint8Array(),
    utf8('nonsense'),
    new Uint8Array(70_000),
    Uint8Array.of(0x84, 0x40, 0xa0, 0x40, 0x40),
  ];
  for (const topic of topics) {
    for (const payload of payloads) {
      await it.until(session.publish(topic, payload, { qos: 1 }));
    }
  }
  await it.deliver();
  assert.ok(it.log.count('regional.nonsense') > 0);
  await expectAllDelivered(it, 'nonsense');
});

test('a receipt that another signed moves nothing, though all that it says is true', async () => {
  const isReceipt = (topic: string): boolean => topic.includes('/receipt/');
  const lives = async (see: (topic: string, payload: Uint8Array) => void): Promise<UplinkWorld> => {
    const it = await started();
    const spy = await stranger(it, 'spy', see);
    await it.until(spy.subscribe(['heliograph/v1/#']));
    it.regionLink.link.delayMs = 1_000;
    publishAll(it);
    return it;
  };
  const receipts = new Map<string, Receipt>();
  const first = await lives((topic, payload) => {
    const receipt = isReceipt(topic) && parseReceipt(payload, REGION.publicKey, verifyEd25519);
    if (receipt) receipts.set(topic, receipt);
  });
  await expectAllDelivered(first, 'the true ones');
  assert.ok(receipts.size > 0);

  // The same life again: this time somebody knows what the region will say, and says it first.
  const due = new Set<string>();
  const it = await lives((topic) => {
    const receipt = topic.replace(/\/up\/(\w+)\/\d+$/, '/receipt/$1');
    if (receipts.has(receipt)) due.add(receipt);
  });
  const forger = await stranger(it, 'forger', () => undefined);
  for (let i = 0; i < 100 && due.size === 0; i++) await it.clock.advance(100);
  assert.ok(due.size > 0, 'a batch of the first life');
  const before = it.uplink?.receiptedLsn;
  for (const topic of due) {
    const forged = encodeReceipt(receipts.get(topic) as Receipt, identityOf(9));
    await it.until(forger.publish(topic, forged, { qos: 1 }));
  }
  await it.clock.advance(300);
  assert.equal(it.store.ops.size, 0, 'nothing is stored yet');
  assert.equal(it.uplink?.receiptedLsn, before);
  await expectAllDelivered(it, 'behind the forged ones');
});

test('what the region has said of another hub or batch is not taken for ours', async () => {
  for (const other of ['hub', 'batch'] as const) {
    const it = await started();
    it.hubLink.link.delayMs = 200;
    const wait = { seconds: 3_600, why: 'the quota of the day is spent', takes: [] };
    const chunks = new ChunkBitmap(1);
    const told = new Set<string>();
    const liar = await stranger(it, 'liar', (topic) => {
      const batch = /\/up\/(\w+)\//.exec(topic)?.[1] as BatchId;
      if (told.has(batch)) return;
      told.add(batch);
      const hub = other === 'hub' ? identityOf(9).id : HUB_ID;
      const ours = other === 'hub' ? batch : ('0'.repeat(32) as BatchId);
      const word = encodeHave({ hub, batch: ours, chunks, wait }, REGION);
      void liar.publish(haveTopic({ site: SITE, hub: HUB_ID }, batch), word, { qos: 1 });
    });
    await it.until(liar.subscribe(['heliograph/v1/+/+/up/+/+']));
    publishAll(it);
    await expectAllDelivered(it, other);
    assert.ok(told.size > 0);
    assert.ok(!it.syncLines.some(({ why }) => why.includes('asks to wait')), other);
    assert.equal(it.log.count('uplink.nonsense'), 1, other);
  }
});

test('an answer that the region gave to an earlier greeting opens no session', async () => {
  const it = await started();
  const answers = new Map<string, Uint8Array>();
  const seen = { greetings: 0, chunks: 0 };
  const spy = await stranger(it, 'spy', (topic, payload) => {
    if (topic.endsWith('/down-hello')) answers.set(topic, payload);
    if (topic.includes('/up/')) seen.chunks += 1;
    if (!topic.endsWith('/hello')) return;
    seen.greetings += 1;
    for (const [at, answer] of answers) void spy.publish(at, answer, { qos: 1 });
  });
  await it.until(spy.subscribe(['heliograph/v1/#']));
  publishAll(it);
  await it.deliver();
  await it.clock.advance(60_000); // The session of the first batches is over.
  it.regionLink.link.isDown = true;
  it.regionLink.cut();
  Object.assign(seen, { greetings: 0, chunks: 0 });
  it.journal.append(stampedOp(2, { class: ALARM }));
  for (let i = 0; i < 300 && seen.greetings < 2; i++) await it.clock.advance(1_000);
  assert.ok(seen.greetings > 0 && answers.size > 0);
  assert.equal(seen.chunks, 0);
  await it.stop();
});

test('chunks that another forged for our batch are found out, and the true ones asked for', async () => {
  for (const total of [1, 2]) {
    const it = await started();
    const forged = new Set<string>();
    const lie = encodeChunk(new Uint8Array(100), { total, batchBytes: 100 * total }, 0);
    const forge = (topic: string): void => {
      if (forged.has(topic)) return;
      forged.add(topic);
      void forger.publish(topic, lie, { qos: 1 });
    };
    const forger = await stranger(it, 'forger', (topic) => forge(topic));
    await it.until(forger.subscribe(['heliograph/v1/+/+/up/+/+']));
    it.hubLink.link.delayMs = 200;
    publishAll(it);
    await expectAllDelivered(it, 'forged chunks');
    assert.ok(forged.size > 0);
  }
});

test('a regional node that lost everything gets all that the journal still has', async () => {
  const it = await started();
  publishAll(it);
  await it.deliver();
  it.crashRegion('kill');
  it.stores.clear();
  it.regionFiles.remove('region/sites');
  await it.startRegion();
  it.journal.append(...stampedOps(OPS + 1, OPS + 5));
  await it.deliver();
  assert.equal(it.store.ops.size, OPS + 5, 'telemetry came again, from the first op on');
  assert.equal(it.log.count('uplink.region.forgot'), 1);
  assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 0);
  await it.stop();
});

test('a regional node that lost all of a class learns it with the next session, whatever that is for', async () => {
  const it = await started();
  publishAll(it);
  await it.deliver();
  const ops = it.store.ops.size;
  await it.clock.advance(60_000);
  assert.equal(it.uplink?.status().state, 'idle');
  it.crashRegion('kill');
  it.stores.clear();
  it.regionFiles.remove('region/sites');
  await it.startRegion();
  it.journal.append(stampedOp(2, { class: ALARM }));
  await it.deliver();
  assert.equal(it.store.ops.size, ops + 1, 'telemetry, of which nothing new came, is there again');
  assert.ok(it.log.count('regional.hub.forgotten') > 0);
  await it.stop();
});

test('the progress file lost or damaged, a spool file damaged: everything is sent again, and counts once', async () => {
  for (const harm of ['lost', 'damaged', 'spool'] as const) {
    const it = await started();
    publishAll(it);
    await it.deliver();
    it.regionLink.link.isDown = true;
    it.regionLink.cut();
    it.journal.append(...stampedOps(OPS + 1, OPS + 40));
    await it.clock.advance(10_000);
    it.crashHub('kill');
    if (harm === 'lost') it.hubFiles.remove('hub/uplink/progress');
    if (harm === 'damaged') it.hubFiles.flipBit('hub/uplink/progress', 1, 3);
    const [spooled] = it.hubFiles.list('hub/uplink/spool');
    if (harm === 'spool' && spooled !== undefined) {
      it.hubFiles.flipBit(`hub/uplink/spool/${spooled}`, 900, 3);
    }
    it.regionLink.link.isDown = false;
    it.startHub();
    await it.deliver();
    assert.equal(it.store.ops.size, OPS + 41, harm);
    assert.equal(it.store.vector().get(`${HUB_ID}/3`), OPS + 40);
    assert.deepEqual(it.fatal, []);
    await it.stop();
  }
});

test('a journal begun anew is not taken for the one that was receipted', async () => {
  const it = await started();
  publishAll(it);
  await it.deliver();
  it.crashHub('kill');
  const fresh = new UplinkWorld({ ...FAST, seed: 2 });
  fresh.hubFiles.makeDir('hub/uplink');
  fresh.hubFiles.replace(
    'hub/uplink/progress',
    it.hubFiles.read('hub/uplink/progress') ?? utf8(''),
  );
  await fresh.startRegion();
  fresh.journal.append(...stampedOps(1, 3));
  fresh.startHub();
  fresh.crashHub('powerCut');
  assert.ok(!fresh.hubFiles.exists('hub/uplink/progress'), 'once further, it would be believed');
  fresh.startHub();
  await fresh.deliver();
  assert.equal(fresh.store.ops.size, 3);
  await fresh.stop();
  await it.stop();
});
