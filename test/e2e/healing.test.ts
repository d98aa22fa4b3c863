/** A card that lost acknowledged entries, and a region that had receipted them: it gives back the very bytes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { test } from 'vitest';

import { type Digest, eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { damage, forgetState, healthOf, opsIn, publish } from '../support/hubs/damage.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { openDevice } from '../support/hubs/devices.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const RULES =
  'capture=[{filter="alarms/#",class="alarm"},{filter="work/#",class="record"},{filter="#",class="telemetry"}]';

const digestOf = (url: string, query = ''): Promise<Digest> =>
  getJson<Digest>(`${url}api/v1/digest${query}`);

test('a hub whose card lost receipted entries is healed by the region, with the very bytes', async () => {
  const [regionData, data] = [tempDir(), tempDir()];
  const region = await startRegional({ data: regionData });
  const sets = [`uplink.url=${region.mqttUrl}`, RULES, 'journal.segment_mib=1'];
  const first = await startHub({ data, sets });
  await publish(first, ['meters/1', 'alarms/smoke', 'meters/2', 'work/7', 'meters/3'], 500);
  await uplinked(first.httpUrl);
  const before = await digestOf(first.httpUrl);
  await first.process.stop();
  const { ops, lastLsn } = await opsIn(data);
  assert.ok(ops.size >= 500, `${ops.size} ops`);

  // The last block holds the last ops of the lanes: no neighbour behind them tells that they are missing.
  damage(`${data}/journal`, [0, 0.3, 0.6, 0.99], lastLsn);
  forgetState(data);
  const alone = await startHub({ data, sets: [RULES, 'journal.segment_mib=1'] });
  const lacking = await digestOf(alone.httpUrl);
  assert.ok(lacking.ops < before.ops, 'without the region something is missing');
  await alone.process.stop();
  const { ops: left } = await opsIn(data);
  const lost = [...ops].filter(([name]) => !left.has(name));
  assert.ok(lost.length > 0);

  const again = await startHub({ data, sets });
  await again.process.line(/journal\.damaged|journal\.holes/);
  await eventually(
    () => healthOf(again),
    ({ journal }) => journal.quarantined.length === 0 && journal.healing.healedRanges > 0,
  );
  // What came back is what the hub's own ledger had hashed.
  assert.match(
    await again.process.line(/downlink\.healed/),
    /"event":"downlink\.healed".*"unproven":0/,
  );
  const { journal, sync } = await healthOf(again);
  assert.equal(journal.healing.lackedOps, 0);
  assert.notEqual(sync.state, 'quarantined');
  // Durable is healed; the state follows within moments.
  await eventually(
    () => digestOf(again.httpUrl),
    ({ digest, ops: folded }) => digest === before.digest && folded === before.ops,
  );
  assert.equal((await digestOf(region.httpUrl, '?site=demo')).digest, before.digest);
  await uplinked(again.httpUrl);
  await again.process.stop();

  // Every op has its bytes again, and a third start finds nothing to do. What is healed may be let go of, not what came back just now.
  const { ops: after } = await opsIn(data);
  assert.deepEqual(
    lost.filter(([name, op]) => after.get(name) !== op),
    [],
  );
  assert.deepEqual(
    [...after].filter(([name, op]) => ops.get(name) !== op),
    [],
  );
  const third = await startHub({ data, sets });
  const { journal: later } = await eventually(
    () => healthOf(third),
    ({ sync: state }) => state.state === 'in sync',
  );
  assert.deepEqual(later.quarantined, []);
});

test('what had come down from the region, its orders and other hubs’ records, comes down again', async () => {
  const [regionData, data, otherData] = [tempDir(), tempDir(), tempDir()];
  const region = await startRegional({ data: regionData });
  const sets = [`uplink.url=${region.mqttUrl}`, RULES, 'journal.segment_mib=1'];
  const other = await startHub({ data: otherData, sets });
  await publish(other, ['work/1', 'work/2', 'work/3'], 300);
  await uplinked(other.httpUrl);
  const first = await startHub({ data, sets });
  for (let n = 0; n < 2; n++) await sendOrder(regionData, n);
  await publish(first, ['alarms/smoke'], 50);
  await uplinked(first.httpUrl);
  const wanted = await eventually(
    () => digestOf(first.httpUrl),
    ({ ops }) => ops === 352,
  );
  // What came down counts as receipted a moment later; of what was not, nobody could say that nothing more is missing.
  await uplinked(first.httpUrl);
  await first.process.stop();
  const { ops, lastLsn } = await opsIn(data);
  assert.equal(ops.size, 352);
  damage(`${data}/journal`, [0, 0.2, 0.4, 0.6, 0.8], lastLsn);
  forgetState(data);
  const again = await startHub({ data, sets });
  await again.process.line(/journal\.damaged|journal\.holes/);
  await eventually(
    () => digestOf(again.httpUrl),
    ({ digest }) => digest === wanted.digest,
  );
  await eventually(
    () => healthOf(again),
    ({ journal }) => journal.quarantined.length === 0 && journal.healing.lackedOps === 0,
  );
});

test('the last that devices had handed in comes back from the region, though nothing behind it tells that it was there', async () => {
  const [regionData, data, dir] = [tempDir(), tempDir(), tempDir()];
  const region = await startRegional({ data: regionData });
  const sets = [`uplink.url=${region.mqttUrl}`, RULES, 'journal.segment_mib=1'];
  const first = await startHub({ data, sets });
  const url = first.mqttUrl;
  const meter = await openDevice({ url, dir: join(dir, 'meter'), name: 'meter' });
  for (let n = 0; n < 20; n++) {
    await meter.event('meters/9', `${n}`);
    await meter.record('work/9').set({ n });
  }
  // Of this one nothing is left: the region alone knows that it exists.
  const late = await openDevice({ url, dir: join(dir, 'late'), name: 'late' });
  for (let n = 0; n < 5; n++) await late.record('work/10').set({ n });
  for (let n = 20; n < 25; n++) {
    await meter.event('meters/9', `${n}`);
    await meter.record('work/9').set({ n });
  }
  for (const device of [meter, late]) await device.close();
  await uplinked(first.httpUrl);
  const before = await digestOf(first.httpUrl);
  await first.process.stop();
  const { ops, lastLsn } = await opsIn(data);
  assert.equal(ops.size, 55);
  const shares = Array.from({ length: 25 }, (_, at) => 0.75 + at / 100);
  damage(`${data}/journal`, shares, lastLsn);
  forgetState(data);
  const { ops: left } = await opsIn(data);
  const lost = [...ops].filter(([name]) => !left.has(name));
  assert.ok(lost.length >= 10, `${lost.length} are gone`);

  const again = await startHub({ data, sets });
  await again.process.line(/journal\.damaged|journal\.holes/);
  await eventually(
    () => digestOf(again.httpUrl),
    ({ digest, ops: folded }) => digest === before.digest && folded === before.ops,
  );
  await eventually(
    () => healthOf(again),
    ({ journal }) => journal.quarantined.length === 0 && journal.healing.lackedOps === 0,
  );
  await again.process.stop();
  const { ops: after } = await opsIn(data);
  assert.deepEqual(
    lost.filter(([name, op]) => after.get(name) !== op),
    [],
  );
});

async function sendOrder(data: string, n: number): Promise<void> {
  const to = ['--site', 'demo', '--data', data];
  const order = ['regional', 'send', ...to, '--key', `order/${n}`, '--field', 'state=open'];
  assert.equal(await heliograph(order).exited, 0);
}
