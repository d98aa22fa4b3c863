import assert from 'node:assert/strict';

import { test } from 'vitest';

import { textOf } from '../../../src/base/bytes.ts';
import { type FaultCode, HubError } from '../../../src/base/errors.ts';
import { encodeHello } from '../../../src/batch/wire/messages.ts';
import { helloTopic } from '../../../src/batch/wire/topics.ts';
import { originOfPublicKey } from '../../../src/hashes.ts';
import { ALARM, BULK, TELEMETRY } from '../../../src/model/class.ts';
import type { MqttSession } from '../../../src/platform/network/mqtt-client.ts';
import { HUB_ID, identityOf, REGION, stampedOp, stampedOps } from '../../support/made/batches.ts';
import { UplinkWorld, type WorldOptions } from '../../support/simulated/uplink-world.ts';

const SITE_DIR = 'region/sites/demo';

async function world(options: WorldOptions = {}): Promise<UplinkWorld> {
  const made = new UplinkWorld({ ...options, uplink: { replyMsMax: 3_000, ...options.uplink } });
  await made.startRegion();
  made.startHub();
  return made;
}

function stranger(it: UplinkWorld, clientId: string): Promise<MqttSession> {
  const options = { url: 'mqtt://sim', clientId, keepaliveS: 60, connectTimeoutMs: 1_000 };
  const handlers = { onMessage: () => undefined, onClose: () => undefined };
  return it.until(it.broker.client().connect(options, handlers));
}

async function hello(
  it: UplinkWorld,
  session: MqttSession,
  site: string,
  seed: number,
): Promise<void> {
  const signer = identityOf(seed);
  const abilities = {
    software: 'x',
    formats: [1],
    compressions: ['none'],
    encodings: ['rows'],
  } as const;
  const greeting = { site, nonce: new Uint8Array(8), ...abilities, spooled: [] };
  const topic = helloTopic({ site, hub: originOfPublicKey(signer.publicKey) });
  await it.until(session.publish(topic, encodeHello(greeting, signer), { qos: 1 }));
  await it.clock.advance(100);
}

test('what a hub signs and nobody can take is parked with its reason, and blocks nothing', async () => {
  const it = await world();
  const foreign = originOfPublicKey(REGION.publicKey);
  it.journal.append(
    stampedOp(1, { class: BULK, origin: HUB_ID }, foreign),
    stampedOp(1, { class: ALARM }),
  );
  await it.clock.advance(10_000);
  it.journal.append(...stampedOps(1, 5), stampedOp(2, { class: BULK }));
  await it.clock.advance(20_000);
  const backlog = it.uplink?.backlog();
  assert.equal(backlog?.[ALARM].ops, 0);
  assert.equal(backlog?.[TELEMETRY].ops, 0);
  assert.equal(
    backlog?.[BULK].ops,
    1,
    'the refused batch keeps its op, the next one of its class went',
  );
  assert.equal(it.uplink?.receiptedLsn, 0);
  assert.equal(it.uplink?.status().faults[0]?.code, 'batch.rejected');
  const parked = it.regionFiles.list(`${SITE_DIR}/parked`);
  const reason = parked.find((name) => name.endsWith('.reason'));
  const text = textOf(it.regionFiles.read(`${SITE_DIR}/parked/${reason}`) ?? new Uint8Array());
  assert.equal(text, 'foreign stamp\n');
  const sessions = it.syncLines.filter((line) => line.event === 'session.open').length;
  await it.clock.advance(3_600_000);
  const later = it.syncLines.filter((line) => line.event === 'session.open').length;
  assert.equal(later, sessions, 'a refused batch does not open sessions');
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a hub is taken by its key alone; sites and hubs have limits', async () => {
  const it = await world({ regional: { sitesMax: 2, hubsMax: 2 } });
  it.journal.append(stampedOp(1));
  await it.deliver();
  const session = await stranger(it, 'many');
  await hello(it, session, 'demo', 21);
  await hello(it, session, 'demo', 22);
  assert.equal((await it.region?.site('demo')?.storage.hubs())?.length, 2);
  await hello(it, session, 'second', 23);
  await hello(it, session, 'third', 24);
  assert.deepEqual(
    it.region?.sites().map((site) => site.name),
    ['demo', 'second'],
  );
  assert.ok(it.log.count('regional.nonsense') > 0);
  await it.stop();
});

test('each site has a state of its own, and all are found again', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 5));
  await it.deliver();
  await hello(it, await stranger(it, 'other'), 'elsewhere', 31);
  const digest = await it.region?.site('demo')?.storage.digest();
  it.crashRegion('powerCut');
  await it.startRegion();
  assert.deepEqual(
    it.region?.sites().map((site) => site.name),
    ['demo', 'elsewhere'],
  );
  assert.deepEqual(await it.region?.site('demo')?.storage.digest(), digest);
  assert.equal(await it.region?.site('demo')?.storage.batches(), 1);
  const hubs = await it.region?.site('demo')?.storage.hubs();
  assert.deepEqual(
    hubs?.map(({ hub }) => hub),
    [HUB_ID],
  );
  await it.stop();
});

test('a store that is lost is folded again from the batches that are kept', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 120));
  await it.deliver();
  const digest = it.store.digest();
  it.crashRegion('kill');
  it.stores.clear();
  await it.startRegion();
  assert.deepEqual(it.store.digest(), digest);
  assert.equal(it.store.checkpointLsn, 3);
  await it.stop();
});

test('the archive lets its oldest batches go, and the newest of each class stay', async () => {
  const it = await world({ regional: { archiveBatchesMax: 6 } });
  it.journal.append(stampedOp(1, { class: ALARM }));
  await it.deliver();
  for (let round = 0; round < 12; round++) {
    it.journal.append(stampedOp(round + 1));
    await it.deliver();
  }
  const batches = it.regionFiles
    .list(`${SITE_DIR}/batches`)
    .filter((name) => name.endsWith('.batch'));
  const classes = batches.map((name) => name.split('-')[2]);
  assert.equal(batches.length, 6);
  assert.equal(classes.filter((each) => each === String(ALARM)).length, 1);
  assert.equal(it.log.count('uplink.region.forgot'), 0);
  await it.stop();
});

test('a full disk at the regional node confirms nothing, and passes', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 40));
  await it.deliver();
  it.regionFiles.setCapacity(0);
  it.journal.append(...stampedOps(41, 80));
  await it.clock.advance(30_000);
  assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 40);
  assert.ok(it.log.count('regional.disk') > 0);
  assert.deepEqual(
    it.region?.troubles().map(({ code }) => code),
    ['files.refused'],
  );
  it.regionFiles.setCapacity(1 << 30);
  await it.deliver();
  assert.equal(it.store.ops.size, 80);
  assert.deepEqual(it.region?.troubles(), []);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test.each<[FaultCode, boolean]>([
  ['files.refused', false],
  ['store.damaged', true],
])('a new site that cannot be opened by %s ends the node: %s', async (code, isFatal) => {
  const it = await world();
  it.regionFiles.makeDir = () => {
    throw new HubError(code, 'for a test');
  };
  const session = await stranger(it, 'new');
  await hello(it, session, 'second', 22);
  assert.equal(it.fatal.length, isFatal ? 1 : 0);
  assert.equal(it.log.count('regional.disk'), isFatal ? 0 : 1);
  await it.stop();
});

test('a region that stays full is sent little, ever more seldom', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 40));
  await it.deliver();
  it.regionFiles.setCapacity(0);
  it.journal.append(...stampedOps(41, 2_000));
  const opened = (): number => it.syncLines.filter(({ event }) => event === 'session.open').length;
  const before = opened();
  await it.clock.advance(60_000);
  const lines = it.log.lines.filter(({ event }) => event === 'regional.disk');
  assert.equal(lines.length, 1, 'told once a minute');
  await it.clock.advance(3 * 3_600_000);
  const sessions = opened() - before;
  assert.ok(sessions >= 10 && sessions <= 40, `${sessions} sessions in three hours`);
  const told = it.uplink?.status().faults.map(({ code, message }) => `${code}: ${message}`);
  assert.deepEqual(told, ['uplink.silent: mqtt://sim: the regional node confirms nothing']);
  it.regionFiles.setCapacity(1 << 30);
  await it.clock.advance(1_200_000);
  assert.equal(it.store.ops.size, 2_000);
  assert.deepEqual(it.uplink?.status().faults, []);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a database that is away is told as what it is, confirms nothing, and comes back', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 40));
  await it.deliver();
  const { store } = it;
  const apply = store.apply.bind(store);
  store.apply = () => {
    throw new HubError('database.away', 'PostgreSQL: gone');
  };
  it.journal.append(...stampedOps(41, 80));
  await it.clock.advance(30_000);
  assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 40);
  assert.ok(it.log.count('regional.database') > 0);
  assert.equal(it.log.count('regional.disk'), 0);
  assert.deepEqual(it.region?.troubles(), [{ code: 'database.away', message: 'PostgreSQL: gone' }]);
  store.apply = apply;
  await it.deliver();
  assert.equal(store.ops.size, 80);
  assert.deepEqual(it.region?.troubles(), []);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a full disk at the hub sends nothing that is not kept, and passes', async () => {
  const it = await world();
  it.hubFiles.setCapacity(0);
  it.journal.append(...stampedOps(1, 40));
  await it.clock.advance(30_000);
  assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 40);
  it.hubFiles.setCapacity(1 << 30);
  await it.deliver();
  assert.deepEqual(it.fatal, []);
  await it.stop();
});

test('the broker gone and back: the node comes back by itself', async () => {
  const it = await world();
  it.regionLink.link.isDown = true;
  it.regionLink.cut();
  await it.clock.advance(120_000);
  assert.equal(it.region?.isConnected, false);
  it.regionLink.link.isDown = false;
  it.journal.append(...stampedOps(1, 10));
  await it.deliver();
  assert.equal(it.region?.isConnected, true);
  await it.stop();
});

test('an op that came to its hub from another one of the site is stored once, with its stamp', async () => {
  const it = await world();
  const other = originOfPublicKey(identityOf(41).publicKey);
  it.journal.append(stampedOp(1, { origin: other }, other), stampedOp(1));
  await it.deliver();
  const digest = await it.region?.site('demo')?.storage.digest();
  assert.equal(digest?.ops, 2);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});
