/** A region that has lost what it had receipted, and a hub that has let go of it meanwhile: who says what, and until when. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { EMPTY_BYTES, textOf, utf8 } from '../../src/base/bytes.ts';
import { ALARM } from '../../src/model/class.ts';
import { stampedOp, stampedOps } from '../support/made/batches.ts';
import { UplinkWorld } from '../support/simulated/uplink-world.ts';

const OPS = 60;
const NOTE = 'hub/uplink/forgotten';

async function delivered(): Promise<UplinkWorld> {
  const it = new UplinkWorld({
    uplink: { replyMsMax: 3_000, pauseMsMin: 500 },
    tellsHistory: true,
  });
  await it.startRegion();
  it.startHub();
  it.journal.append(...stampedOps(1, OPS), stampedOp(1, { class: ALARM }));
  await it.deliver();
  await it.clock.advance(60_000);
  return it;
}

/** The region begins with an empty disk. */
async function loseRegion(it: UplinkWorld): Promise<void> {
  it.crashRegion('kill');
  it.stores.clear();
  it.regionFiles.remove('region/sites');
  await it.startRegion();
}

function told(it: UplinkWorld): string | undefined {
  return it.uplink?.status().faults.find(({ code }) => code === 'uplink.forgotten')?.message;
}

test('what the journal has let go of is named, by class and number, until somebody has seen it', async () => {
  const it = await delivered();
  it.journal.firstLsn = 41;
  await loseRegion(it);
  it.journal.append(stampedOp(2, { class: ALARM }));
  await it.deliver();
  assert.equal(it.store.ops.size, OPS - 40 + 2, 'what is still here went again');
  assert.match(told(it) ?? '', /class telemetry through op 40\b/);
  assert.doesNotMatch(told(it) ?? '', /alarm/, 'of which all was here');
  assert.ok(it.syncLines.some(({ event, why }) => event === 'fault' && /through op 40/.test(why)));
  it.crashHub('powerCut');
  it.startHub();
  assert.match(told(it) ?? '', /class telemetry through op 40\b/, 'a restart does not forget it');
  it.hubFiles.remove(NOTE);
  assert.equal(told(it), undefined);
  assert.deepEqual(it.fatal, []);
  await it.stop();
});

test('a class of which nothing is here any more is named as well', async () => {
  const it = await delivered();
  it.journal.append(stampedOp(2, { class: ALARM }));
  await it.deliver();
  it.journal.firstLsn = OPS + 1;
  await loseRegion(it);
  it.journal.append(stampedOp(3, { class: ALARM }));
  await it.deliver();
  assert.match(told(it) ?? '', /class telemetry through op 60\b/);
  assert.deepEqual(it.fatal, []);
  await it.stop();
});

test('where all is still here nothing is lacking, and nothing is said of it', async () => {
  const it = await delivered();
  await loseRegion(it);
  it.journal.append(stampedOp(2, { class: ALARM }));
  await it.deliver();
  assert.equal(it.store.ops.size, OPS + 2);
  assert.equal(told(it), undefined);
  assert.ok(!it.hubFiles.exists(NOTE));
  assert.ok(it.syncLines.some(({ event, why }) => event === 'fault' && /goes again/.test(why)));
  await it.stop();
});

test('a hub that died before it had counted counts at its next start', async () => {
  const it = await delivered();
  assert.ok(it.ledger);
  await it.until(it.ledger.flush());
  it.journal.firstLsn = 41;
  it.crashHub('kill');
  it.hubFiles.replace(NOTE, utf8('telemetry 40 5 -\nalarm 40 5 -\n'));
  it.startHub();
  assert.equal(told(it), undefined);
  await it.clock.advance(1_000);
  assert.match(told(it) ?? '', /: class telemetry through op 40 \([^)]*\)$/, 'alarm is all here');
  assert.match(textOf(it.hubFiles.read(NOTE) ?? EMPTY_BYTES) ?? '', /^telemetry 40 5 40\n$/);
  await it.stop();
});

test('lines of the note that are none are passed over', async () => {
  const it = new UplinkWorld({ tellsHistory: true });
  it.hubFiles.makeDir('hub/uplink');
  const text = 'telemetry 40 5 7\nnonsense\nlog 1 1 1\nalarm x 1 1\n';
  it.hubFiles.replace(NOTE, utf8(text));
  it.startHub();
  assert.match(told(it) ?? '', /^[^:]*: class telemetry through op 7 \(/);
  await it.stop();
});
