/** What flows down: orders of the region and records of other hubs, over links that break. */
import assert from 'node:assert/strict';

import { describe, onTestFinished, test } from 'vitest';

import { hexOf } from '../../../../src/base/bytes.ts';
import { encodeChunk, layoutOf } from '../../../../src/batch/wire/chunks.ts';
import { encodeHello } from '../../../../src/batch/wire/messages.ts';
import { chunkTopic, downChunkTopic, helloTopic } from '../../../../src/batch/wire/topics.ts';
import { originOfPublicKey } from '../../../../src/hashes.ts';
import { encodePatch } from '../../../../src/merge/patch.ts';
import { BULK, COMMAND, RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { PATCH } from '../../../../src/model/op.ts';
import type { MqttSession } from '../../../../src/platform/network/mqtt-client.ts';
import {
  batchOf,
  HUB_ID,
  identityOf,
  REGION,
  SITE,
  stampedOp,
} from '../../../support/made/batches.ts';
import {
  NO_CLASSES,
  UplinkWorld,
  type WorldOptions,
} from '../../../support/simulated/uplink-world.ts';

const REGION_ID = originOfPublicKey(REGION.publicKey);
const OTHER = identityOf(7);
const OTHER_ID = originOfPublicKey(OTHER.publicKey);

async function world(checkInMs = 5_000, options: WorldOptions = {}): Promise<UplinkWorld> {
  const uplink = { replyMsMax: 3_000, checkInMs, pauseMsMin: 500, pauseMsMax: 1_000 };
  const made = new UplinkWorld({ takesDown: true, uplink, ...options });
  await made.startRegion();
  made.startHub();
  made.journal.append(stampedOp(1));
  await made.deliver();
  await made.clock.advance(3_000); // The session ends.
  onTestFinished(() => made.stop());
  return made;
}

function order(key: string, bytes = 10, opClass: typeof RECORD | typeof COMMAND = RECORD) {
  const body = encodePatch({ state: 'x'.repeat(bytes) });
  return { class: opClass, key, kind: PATCH, body, authority: 4 } as const;
}

async function write(it: UplinkWorld, ...wishes: ReturnType<typeof order>[]): Promise<void> {
  for (const wish of wishes) {
    assert.ok(await it.until(it.region?.down.write(SITE, wish) ?? assert.fail('no region')));
  }
}

const keysDown = (it: UplinkWorld): string[] => it.cameDown.map(({ op }) => op.key);

async function connect(it: UplinkWorld): Promise<MqttSession> {
  const options = { url: 'mqtt://sim', clientId: 'x', keepaliveS: 60, connectTimeoutMs: 1_000 };
  const handlers = { onMessage: () => undefined, onClose: () => undefined };
  return it.until(it.broker.client().connect(options, handlers));
}

/** Another hub of the site hands in records and telemetry. */
async function otherHubSends(it: UplinkWorld, count: number): Promise<void> {
  const session = await connect(it);
  const address = { site: SITE, hub: OTHER_ID };
  const abilities = { software: 'x', formats: [1], compressions: [], encodings: [] } as const;
  const greeting = { site: SITE, nonce: new Uint8Array(8), ...abilities, spooled: [] };
  await it.until(session.publish(helloTopic(address), encodeHello(greeting, OTHER), { qos: 1 }));
  for (const opClass of [RECORD, TELEMETRY] as const) {
    const body = encodePatch({ state: 'done' });
    const parts = { class: opClass, kind: opClass === RECORD ? PATCH : 0, body } as const;
    const ops = Array.from({ length: count }, (_, index) =>
      stampedOp(index + 1, { ...parts, key: `order/${index + 1}` }, OTHER_ID),
    );
    const { id, bytes } = await batchOf(ops, { throughLsn: count }, OTHER);
    const layout = layoutOf(bytes.length);
    const chunk = encodeChunk(bytes, layout, 0);
    await it.until(session.publish(chunkTopic(address, id, 0), chunk, { qos: 1 }));
  }
  await it.clock.advance(500);
}

describe('orders of the region', () => {
  test('reach a hub that only asks, in order, once, under the region as origin, and are receipted', async () => {
    const it = await world();
    await write(it, order('order/1'), order('order/2'), order('pump/1', 10, COMMAND));
    await it.clock.advance(20_000);
    assert.deepEqual(keysDown(it), ['pump/1', 'order/1', 'order/2'], 'commands before records');
    assert.ok(
      it.cameDown.every(({ op, stamp }) => op.origin === REGION_ID && stamp.hub === REGION_ID),
    );
    assert.equal(it.log.count('regional.down.delivered'), 2);
    await it.clock.advance(60_000);
    assert.equal(it.cameDown.length, 3, 'never again');
    assert.equal(it.store.ops.size, 4, 'and never sent back up: telemetry and three of its own');
    assert.ok(it.isDelivered);
  });

  test('go at once to a hub whose session is open', async () => {
    const it = await world(0);
    it.decision = { allowed: [TELEMETRY, RECORD], riding: [COMMAND], why: 'test' };
    it.journal.append(stampedOp(2));
    await it.clock.advance(600);
    assert.equal(it.uplink?.status().state, 'sending');
    await write(it, order('order/1'));
    await it.clock.advance(600);
    assert.deepEqual(keysDown(it), ['order/1']);
  });

  test('wait while the battery allows nothing', async () => {
    const it = await world();
    it.decision = NO_CLASSES;
    await write(it, order('order/1'));
    await it.clock.advance(60_000);
    assert.deepEqual(keysDown(it), []);
    it.decision = { allowed: [COMMAND], riding: [COMMAND, BULK], why: 'no records' };
    await it.clock.advance(30_000);
    assert.deepEqual(keysDown(it), [], 'records are not taken now');
    it.decision = { allowed: [COMMAND], riding: [RECORD, BULK], why: 'records may ride' };
    await it.clock.advance(30_000);
    assert.deepEqual(keysDown(it), ['order/1']);
  });

  test('reach hubs of a region that stores for some jurisdictions only', async () => {
    const it = new UplinkWorld({ takesDown: true, uplink: { checkInMs: 5_000 } });
    onTestFinished(() => it.stop());
    it.terms.jurisdiction = 'KE';
    it.terms.accepts = ['KE', 'TZ'];
    await it.startRegion();
    it.startHub();
    it.journal.append(stampedOp(1));
    await it.deliver();
    await write(it, order('order/1'));
    await it.clock.advance(20_000);
    assert.deepEqual(keysDown(it), ['order/1']);
  });

  test('that the hub refuses are not sent at every session, and hold up no other class', async () => {
    const it = await world();
    it.refusalOf = ({ op }) => (op.class === RECORD ? 'no room' : undefined);
    await write(it, order('order/1'));
    await it.clock.advance(20_000);
    const codes = (): string[] | undefined => it.uplink?.status().faults.map(({ code }) => code);
    assert.deepEqual(codes(), ['downlink.refused']);
    await write(it, order('pump/1', 10, COMMAND));
    await it.clock.advance(60_000);
    assert.deepEqual(keysDown(it), ['pump/1']);
    assert.equal(it.log.count('regional.down.refused'), 1);
    it.refusalOf = () => undefined;
    await it.clock.advance(600_000);
    assert.deepEqual(keysDown(it), ['pump/1', 'order/1']);
    assert.deepEqual(codes(), []);
  });

  test('get through a link that dies again and again, each chunk once at last', async () => {
    const it = await world();
    const noise = (): string => hexOf(it.random.bytes(5_000));
    const body = (): Uint8Array => encodePatch({ state: noise() });
    await write(
      it,
      ...Array.from({ length: 12 }, (_, i) => ({ ...order(`order/${i}`), body: body() })),
    );
    for (let cut = 0; cut < 20 && it.cameDown.length < 12; cut++) {
      it.hubLink.link.cutAfterMessages = 9;
      for (let step = 0; step < 700; step++) await it.clock.advance(10);
    }
    it.hubLink.link.cutAfterMessages = undefined;
    await it.clock.advance(20_000);
    assert.deepEqual(
      keysDown(it),
      Array.from({ length: 12 }, (_, i) => `order/${i}`),
    );
  });

  test('are not lost with either process', async () => {
    const it = await world();
    await write(it, order('order/1'));
    it.crashRegion('powerCut');
    it.crashHub('kill');
    await it.startRegion();
    it.startHub();
    await write(it, order('order/2'));
    await it.clock.advance(30_000);
    assert.deepEqual(keysDown(it), ['order/1', 'order/2']);
  });

  test('forged, replayed, doubled and torn chunks change nothing', async () => {
    const it = await world();
    const session = await connect(it);
    const forged = await batchOf(
      [stampedOp(1, { class: RECORD, kind: PATCH, body: encodePatch({ a: 1 }) }, REGION_ID)],
      {},
      OTHER,
    );
    const layout = layoutOf(forged.bytes.length);
    const chunk = encodeChunk(forged.bytes, layout, 0);
    const address = { site: SITE, hub: HUB_ID };
    const topic = downChunkTopic(address, forged.id, 0);
    it.journal.append(stampedOp(2));
    await it.clock.advance(400);
    for (const message of [chunk, chunk, chunk.subarray(0, 40), Uint8Array.of(0xff)]) {
      await it.until(session.publish(topic, message, { qos: 1 }));
    }
    await it.clock.advance(5_000);
    assert.deepEqual(keysDown(it), []);
    assert.ok(it.log.count('uplink.down.damaged') > 0);
    await write(it, order('order/1'));
    await it.clock.advance(20_000);
    assert.deepEqual(keysDown(it), ['order/1']);
    assert.deepEqual(it.fatal, []);
  });
});

describe('what a hub refuses', () => {
  const BROKEN = 'malformed patch body';
  const HOUR_MS = 3_600_000;

  async function refusing(it: UplinkWorld, key: string): Promise<void> {
    it.refusalOf = ({ op }) => (op.key === key ? BROKEN : undefined);
    await otherHubSends(it, 5);
    await it.clock.advance(90_000);
  }

  const refusals = (it: UplinkWorld): number => it.log.count('regional.down.refused');

  test('is offered again at ever longer intervals, and holds up no other lane', async () => {
    const it = await world(60_000);
    await refusing(it, 'order/3');
    assert.deepEqual(keysDown(it), ['order/1', 'order/2'], 'up to what is refused');
    await write(it, order('mine/1'), order('mine/2', 10, COMMAND));
    await it.clock.advance(90_000);
    assert.deepEqual(keysDown(it).slice(2).toSorted(), ['mine/1', 'mine/2']);
    const atFirst = refusals(it);
    assert.ok(atFirst <= 2, `${atFirst} refusals`);
    const sessions = it.syncLines.filter(({ event }) => event === 'session.open').length;
    await it.clock.advance(2 * HOUR_MS);
    const since = it.syncLines.filter(({ event }) => event === 'session.open').length - sessions;
    assert.ok(since > 100, `${since} sessions`);
    assert.ok(refusals(it) - atFirst <= 3, `${refusals(it)} refusals in ${since} sessions`);
    const idle = it.syncLines.filter(({ why }) => (why ?? '').includes('no answer'));
    assert.equal(idle.length, 0, 'and no session waits for it');
  });

  test('is told with its reason on both sides, until it is taken', async () => {
    const it = await world(60_000);
    const faults = () => it.uplink?.status().faults.map(({ code, message }) => [code, message]);
    const contact = async () => (await it.region?.site(SITE)?.storage.hubs())?.[0];
    await refusing(it, 'order/3');
    assert.deepEqual(faults()?.length, 1);
    assert.equal(faults()?.[0]?.[0], 'downlink.refused');
    assert.match(faults()?.[0]?.[1] ?? '', /malformed patch body/);
    assert.equal(it.syncLines.filter(({ event }) => event === 'fault').length, 1, 'told once');
    assert.equal((await contact())?.refusal, BROKEN);
    it.refusalOf = () => undefined;
    await it.clock.advance(HOUR_MS / 2);
    assert.deepEqual(keysDown(it).slice(2), ['order/3', 'order/4', 'order/5']);
    assert.deepEqual(faults(), []);
    assert.equal((await contact())?.refusal, undefined);
  });
});

describe('who listens at the broker', () => {
  async function overheard(it: UplinkWorld): Promise<string> {
    const heard: Uint8Array[] = [];
    const options = { url: 'mqtt://sim', clientId: 'spy', keepaliveS: 60, connectTimeoutMs: 1_000 };
    const onMessage = (_topic: string, payload: Uint8Array): void => void heard.push(payload);
    const handlers = { onMessage, onClose: () => undefined };
    const spy = await it.until(it.broker.client().connect(options, handlers));
    await it.until(spy.subscribe([`heliograph/v1/${SITE}/${HUB_ID}/down/+/+`]));
    // One at a time: what travels together is packed, and then no eye reads it.
    for (const key of ['secret/1', 'secret/2']) {
      await write(it, order(key));
      await it.clock.advance(30_000);
    }
    assert.deepEqual(keysDown(it), ['secret/1', 'secret/2']);
    return heard.map((payload) => Buffer.from(payload).toString('latin1')).join('');
  }

  test('learns nothing of orders', async () => {
    assert.doesNotMatch(await overheard(await world()), /secret/);
  });

  test('reads those to a hub of an earlier version, which has told no key', async () => {
    assert.match(await overheard(await world(5_000, { hidesDown: false })), /secret/);
  });

  test('and a hub whose key is none gets nothing, rather than anything in the clear', async () => {
    const it = await world();
    const address = { site: SITE, hub: OTHER_ID };
    const greeting = { software: 'x', formats: [1], compressions: [], encodings: [], spooled: [] };
    const down = { vector: new Map(), takes: [COMMAND, RECORD] as const };
    const hello = { ...greeting, site: SITE, nonce: new Uint8Array(8), down };
    const session = await connect(it);
    for (const sealKey of [new Uint8Array(32), new Uint8Array(5)]) {
      const bytes = encodeHello({ ...hello, sealKey }, OTHER);
      await it.until(session.publish(helloTopic(address), bytes, { qos: 1 }));
      await write(it, order('secret/1'));
      await it.clock.advance(500);
    }
    assert.equal(it.log.count('regional.down.no-key') > 0, true);
    assert.deepEqual(it.fatal, []);
  });
});

describe('records of the other hubs of the site', () => {
  test('flow down with the stamps they have, telemetry does not', async () => {
    const it = await world();
    await otherHubSends(it, 40);
    await it.clock.advance(20_000);
    assert.equal(it.cameDown.length, 40);
    assert.ok(it.cameDown.every(({ op, stamp }) => op.class === RECORD && stamp.hub === OTHER_ID));
    assert.deepEqual(
      it.cameDown.map(({ op }) => op.seq),
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
  });
});

test('a region restored from an old backup gives no number twice, and says what it has lost', async () => {
  const it = await world();
  await write(it, order('order/1'), order('order/2'));
  await it.clock.advance(20_000);
  it.crashRegion('kill');
  it.stores.clear();
  for (const name of it.regionFiles.list('region/sites/demo/batches')) {
    if (name.includes(REGION_ID)) it.regionFiles.remove(`region/sites/demo/batches/${name}`);
  }
  await it.startRegion();
  it.journal.append(stampedOp(2));
  await it.deliver();
  const lost = it.log.lines.find(({ event }) => event === 'regional.own-ops-lost');
  assert.deepEqual([lost?.fields['fromSeq'], lost?.fields['toSeq']], [1, 2]);
  await write(it, order('order/3'));
  await it.clock.advance(20_000);
  assert.deepEqual(keysDown(it), ['order/1', 'order/2', 'order/3']);
  const origins = new Set(it.cameDown.map(({ op }) => op.origin));
  assert.equal(origins.size, 2, 'under an origin of its own');
});
