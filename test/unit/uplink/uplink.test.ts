import assert from 'node:assert/strict';

import { test } from 'vitest';

import { helloTopic } from '../../../src/batch/wire/topics.ts';
import { ALARM, BULK, LOG, RECORD, TELEMETRY } from '../../../src/model/class.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { HUB_ID, SITE, stampedOp, stampedOps } from '../../support/made/batches.ts';
import { ALL_CLASSES, NO_CLASSES, UplinkWorld } from '../../support/simulated/uplink-world.ts';

async function world(
  options: ConstructorParameters<typeof UplinkWorld>[0] = {},
): Promise<UplinkWorld> {
  const made = new UplinkWorld(options);
  await made.startRegion();
  made.startHub();
  return made;
}

test('what is journaled is stored upstream, receipted, and the cursor moves', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 120));
  it.journal.appendLocal();
  await it.deliver();
  assert.equal(it.store.ops.size, 120);
  assert.equal(it.store.applies, 3);
  assert.equal(it.uplink?.receiptedLsn, 121);
  assert.deepEqual(it.hubFiles.list('hub/uplink/spool'), []);
  const events = it.syncLines.map((line) => line.event);
  assert.deepEqual(events.filter((event) => event === 'batch.received').length, 3);
  assert.equal(events[0], 'session.open');
  assert.ok((it.uplink?.status().bytesToday ?? 0) > 1_000, 'a session that is open counts');
  await it.clock.advance(10_000);
  assert.equal(it.syncLines.at(-1)?.event, 'session.close');
  assert.equal(it.syncLines.at(-1)?.ops, 120);
  assert.equal(it.syncLines.at(-1)?.why, 'all that may go is delivered');
  assert.equal(it.uplink?.status().state, 'idle');
  assert.equal(it.uplink?.status().bytesToday, it.syncLines.at(-1)?.bytes);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('nothing is opened while nothing may go, and the backlog says what waits', async () => {
  const it = await world();
  it.decision = NO_CLASSES;
  it.journal.append(...stampedOps(1, 10), stampedOp(1, { class: ALARM }));
  await it.clock.advance(60_000);
  assert.equal(it.hubLink.messages, 0);
  const backlog = it.uplink?.backlog();
  assert.equal(backlog?.[TELEMETRY].ops, 10);
  assert.equal(backlog?.[ALARM].ops, 1);
  assert.ok((backlog?.[TELEMETRY].bytes ?? 0) > 10 * 60);
  assert.ok(Math.abs((backlog?.[TELEMETRY].oldestMs ?? 0) - 60_000) < 1_000);
  assert.equal(it.uplink?.receiptedLsn, 0);
  assert.deepEqual(it.hubFiles.list('hub/uplink/spool'), [], 'nothing is sealed before it may go');
  await it.stop();
});

test('an alarm opens a session at once; records ride along, bulk waits', async () => {
  const it = await world();
  it.decision = { allowed: [ALARM], riding: [ALARM, RECORD, LOG], why: 'saver' };
  it.journal.append(
    ...stampedOps(1, 3, { class: BULK }),
    ...stampedOps(1, 4, { class: RECORD }),
    ...stampedOps(1, 5, { class: LOG }),
  );
  await it.clock.advance(60_000);
  assert.equal(it.hubLink.messages, 0, 'no session for what may only ride');
  it.journal.append(stampedOp(1, { class: ALARM }));
  await it.clock.advance(1_000);
  assert.equal(it.uplink?.backlog()[ALARM].ops, 0);
  await it.clock.advance(9_000);
  const left = it.uplink?.backlog();
  assert.equal(left?.[RECORD].ops, 0);
  assert.equal(left?.[LOG].ops, 0);
  assert.equal(left?.[BULK].ops, 3);
  assert.equal(it.uplink?.status().state, 'idle');
  assert.equal(it.syncLines.filter((line) => line.event === 'session.open').length, 1);
  const classes = it.syncLines
    .filter((line) => line.event === 'batch.received')
    .map((line) => line.why);
  assert.match(classes[0] ?? '', /^alarm/);
  await it.stop();
});

test('class log alone never opens a session, whatever the decision says', async () => {
  const it = await world();
  it.decision = ALL_CLASSES;
  it.journal.append(...stampedOps(1, 5, { class: LOG }));
  await it.clock.advance(600_000);
  assert.equal(it.hubLink.messages, 0);
  await it.stop();
});

test('a class that is taken back stops at once and goes on later where it was', async () => {
  const it = await world({ uplink: { seal: { opsMax: 400, opBytesMax: 4 << 20 } } });
  const body = (seq: number): Uint8Array => {
    return Uint8Array.from({ length: 2_000 }, (_, index) => (seq * 7_919 + index * 104_729) >> 3);
  };
  for (let seq = 1; seq <= 240; seq++)
    it.journal.append(stampedOp(seq, { class: BULK, body: body(seq) }));
  await it.clock.advance(150);
  it.decision = { allowed: [ALARM], riding: [ALARM], why: 'a cloud' };
  it.uplink?.look();
  await it.clock.advance(10_000);
  assert.equal(it.uplink?.status().state, 'idle');
  const sent = it.hubLink.messages;
  await it.clock.advance(60_000);
  assert.equal(it.hubLink.messages, sent);
  it.decision = ALL_CLASSES;
  await it.deliver();
  assert.equal(it.store.ops.size, 240);
  assert.equal(it.store.applies, 1);
  await it.stop();
});

test('what arrived before a cut is not sent again, not even by another process of the hub', async () => {
  const it = await world({ uplink: { seal: { opsMax: 400, opBytesMax: 4 << 20 } } });
  const random = new SeededRandom(5);
  for (let seq = 1; seq <= 240; seq++) {
    it.journal.append(stampedOp(seq, { body: random.bytes(4_000) }));
  }
  // A greeting of six messages, 15 chunks; some are on their way when the link is cut.
  it.hubLink.link.cutAfterMessages = 16;
  await it.clock.advance(1_000);
  assert.ok(it.hubLink.messages < 20, `${it.hubLink.messages} messages before the cut`);
  it.crashHub('kill');
  it.startHub();
  await it.deliver();
  assert.equal(it.store.ops.size, 240);
  assert.ok(it.hubLink.messages < 28, `${it.hubLink.messages} messages in all`);
  await it.stop();
});

test('a waiting class is not read again and again', async () => {
  const it = await world();
  it.decision = { allowed: [TELEMETRY], riding: [TELEMETRY], why: 'test' };
  it.journal.append(...stampedOps(1, 1_000, { class: BULK }));
  for (let round = 0; round < 20; round++) {
    it.journal.append(stampedOp(round + 1));
    await it.deliver(0).catch(() => undefined);
    await it.clock.advance(5_000);
  }
  assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 0);
  assert.equal(it.uplink?.backlog()[BULK].ops, 1_000);
  assert.ok(it.journal.reads < 1_020 + 20 * 3, `${it.journal.reads} reads`);
  await it.stop();
});

test('without a regional node behind the broker nothing but the hello is sent, and a person is told', async () => {
  const it = new UplinkWorld();
  it.startHub();
  it.journal.append(...stampedOps(1, 10));
  await it.clock.advance(40_000);
  const [fault] = it.uplink?.status().faults ?? [];
  assert.equal(fault?.code, 'uplink.silent');
  assert.equal(it.syncLines.filter((line) => line.event === 'batch.sent').length, 0);
  await it.startRegion();
  await it.deliver();
  assert.deepEqual(it.uplink?.status().faults, []);
  await it.stop();
});

test('another region than the pinned one gets nothing, until a person deletes region.pub', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 10));
  await it.deliver();
  await it.until(it.region?.close() ?? Promise.resolve());
  const { identityOf } = await import('../../support/made/batches.ts');
  it.regionSigner = identityOf(77);
  await it.startRegion();
  it.journal.append(...stampedOps(11, 20));
  await it.clock.advance(60_000);
  assert.equal(it.uplink?.status().faults[0]?.code, 'uplink.wrong-region');
  assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 10);
  it.hubFiles.remove('hub/uplink/region.pub');
  await it.deliver();
  assert.equal(it.store.ops.size, 20);
  await it.stop();
});

/** A batch is under way, the link is gone, and so is the region that knew of it. */
async function cutFromTheRegion(it: UplinkWorld): Promise<void> {
  const random = new SeededRandom(7);
  it.journal.append(...stampedOps(1, 10));
  await it.deliver();
  for (let seq = 11; seq <= 50; seq++)
    it.journal.append(stampedOp(seq, { body: random.bytes(4_000) }));
  const sent = (): number => it.syncLines.filter(({ event }) => event === 'batch.sent').length;
  for (const before = sent(); sent() === before;) await it.clock.advance(5);
  it.hubLink.cut();
  it.hubLink.link.isDown = true;
  await it.until(it.region?.close() ?? Promise.resolve());
}

test('a region that was replaced while a batch was under way is told apart at once, not after the reply time', async () => {
  const it = await world();
  await cutFromTheRegion(it);
  const { identityOf } = await import('../../support/made/batches.ts');
  it.regionSigner = identityOf(77);
  await it.startRegion();
  it.hubLink.link.isDown = false;
  await it.clock.advance(25_000);
  assert.equal(it.uplink?.status().faults[0]?.code, 'uplink.wrong-region');
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('a region that has forgotten the hub says so, and is greeted in the same session', async () => {
  const it = await world();
  await cutFromTheRegion(it);
  const site = `region/sites/${SITE}`;
  for (const name of it.regionFiles.list(site)) {
    for (const file of it.regionFiles.list(`${site}/${name}`)) {
      it.regionFiles.remove(`${site}/${name}/${file}`);
    }
    it.regionFiles.remove(`${site}/${name}`);
  }
  it.stores.clear();
  it.broker.route(helloTopic({ site: SITE, hub: HUB_ID }), new Uint8Array(0), true);
  await it.startRegion();
  it.hubLink.link.isDown = false;
  await it.deliver(25_000);
  await it.stop();
  assert.deepEqual(it.fatal, []);
});

test('an unreachable broker is tried again after growing pauses', async () => {
  const it = await world();
  it.hubLink.link.isDown = true;
  it.journal.append(stampedOp(1));
  await it.clock.advance(3_600_000);
  assert.equal(it.uplink?.status().faults[0]?.code, 'uplink.unreachable');
  const tries = it.syncLines.filter((line) => line.event === 'session.open').length;
  assert.ok(tries > 5 && tries < 20, `${tries} tries in an hour`);
  it.hubLink.link.isDown = false;
  await it.deliver();
  await it.stop();
});

test('a broker that ends the session before it begins is out of reach, and what waits is behind', async () => {
  const it = await world();
  it.journal.append(stampedOp(1));
  // Longer than the way to the broker, shorter than there and back.
  for (let cuts = 0; cuts < 2_000; cuts++) {
    await it.clock.advance(30);
    it.hubLink.cut();
  }
  const fault = it.uplink?.status().faults[0];
  assert.equal(fault?.code, 'uplink.unreachable', fault?.message);
  await it.deliver();
  assert.deepEqual(it.uplink?.status().faults, []);
  await it.stop();
});

test('a session that goes on where the one before was cut ends the fault of a failed try between them', async () => {
  const it = await world();
  const body = new Uint8Array(new SeededRandom(5).bytes(900_000));
  it.journal.append(stampedOp(1, { class: BULK, body }));
  it.hubLink.link.cutAfterMessages = 8;
  while (!it.syncLines.some(({ event }) => event === 'session.close')) await it.clock.advance(10);
  it.hubLink.link.isDown = true;
  await it.clock.advance(60_000);
  assert.equal(it.uplink?.status().faults[0]?.code, 'uplink.unreachable');
  it.hubLink.link.isDown = false;
  await it.deliver();
  assert.deepEqual(it.uplink?.status().faults, []);
  await it.stop();
});
