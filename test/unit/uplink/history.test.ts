/** The hub's signed history and the region that remembers it: agreement, cosignatures, forks, gaps. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { verifyEd25519 } from '../../../src/keys/identity.ts';
import { isSignedBy, parseCheckpoint } from '../../../src/ledger/note.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { HUB, HUB_ID, SITE, stampedOps } from '../../support/made/batches.ts';
import { MemoryJournal } from '../../support/memory/memory-journal.ts';
import { UplinkWorld } from '../../support/simulated/uplink-world.ts';

async function world(): Promise<UplinkWorld> {
  const made = new UplinkWorld({ tellsHistory: true });
  await made.startRegion();
  made.startHub();
  return made;
}

/** The hub's card is exchanged for an image that knows so many of the ops that it has delivered. */
function restoreHub(it: UplinkWorld, ops: number): void {
  it.crashHub('kill');
  it.hubFiles = new SimFiles({ random: it.random });
  it.journal = new MemoryJournal();
  it.journal.append(...stampedOps(1, ops));
}

function cosignedSize(it: UplinkWorld): number | undefined {
  const checkpoint = parseCheckpoint(it.ledger?.cosigned(TELEMETRY) ?? '');
  if (checkpoint === undefined) return undefined;
  assert.ok(isSignedBy(checkpoint, HUB.publicKey, verifyEd25519));
  assert.equal(checkpoint.signatures.length, 2, 'the hub and the region');
  assert.deepEqual(checkpoint.root, it.ledger?.head(TELEMETRY, checkpoint.size).root);
  return checkpoint.size;
}

test('the region cosigns what it has checked, over restarts of either side', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 120));
  await it.deliver();
  assert.equal(cosignedSize(it), 120);
  it.crashRegion('powerCut');
  await it.startRegion();
  it.journal.append(...stampedOps(121, 200));
  await it.deliver();
  assert.equal(cosignedSize(it), 200);
  it.crashHub('powerCut');
  it.startHub();
  it.journal.append(...stampedOps(201, 207));
  await it.deliver();
  assert.equal(cosignedSize(it), 207);
  assert.equal(it.log.count('regional.ledger.forked') + it.log.count('regional.ledger.gap'), 0);
  assert.deepEqual(it.fatal, []);
});

test('a hub restored from an old card that goes on differently is caught; both histories are kept', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 100));
  await it.deliver();
  const kept = it.store.ops.size;
  restoreHub(it, 60);
  it.journal.append(...stampedOps(61, 65, { body: utf8('after the restore') }));
  it.startHub();
  await it.clock.advance(120_000);
  assert.ok(it.log.count('regional.ledger.forked') > 0, 'the region says so');
  const parked = it.regionFiles.list(`region/sites/${SITE}/parked`);
  assert.ok(
    parked.some((name) => name.endsWith('.batch')),
    'the new history is kept aside',
  );
  assert.equal(it.store.ops.size, kept, 'the old one is as it was');
  const rejected = it.log.lines.find(({ event }) => event === 'batch.rejected');
  assert.equal(rejected?.fields['reason'], 'forked history', 'the hub is told');
  assert.equal(it.uplink?.status().faults[0]?.code, 'ledger.forked', 'in words that fit');
  assert.ok(it.uplink !== undefined && it.uplink.receiptedLsn < 65, 'and keeps its ops');
  assert.deepEqual(it.fatal, []);
});

test('a restored hub that sends again what it knows learns that the region knows more', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 100));
  await it.deliver();
  restoreHub(it, 60);
  it.startHub();
  await it.deliver();
  assert.equal(it.log.count('regional.ledger.forked'), 0, 'nothing contradicts');
  const told = it.log.lines.find(({ event }) => event === 'ledger.forked');
  assert.equal(told?.fields['regionSize'], 100);
  assert.equal(it.store.ops.size, 100);
});

test('a region that has lost its copy of the history stores on, and witnesses again when it is told what it lacks', async () => {
  const it = await world();
  it.journal.append(...stampedOps(1, 100));
  await it.deliver();
  it.crashRegion('kill');
  it.regionFiles.remove(`region/sites/${SITE}/ledgers/${HUB_ID}`);
  await it.startRegion();
  it.journal.append(...stampedOps(101, 120));
  await it.deliver();
  const gaps = it.log.lines.filter(({ event }) => event === 'regional.ledger.gap');
  assert.deepEqual(
    gaps.map(({ fields: { known, fromOp, throughOp } }) => ({ known, fromOp, throughOp })),
    [{ known: 0, fromOp: 1, throughOp: 100 }],
  );
  assert.equal(cosignedSize(it), 100);
  assert.equal(it.store.ops.size, 120);
  it.journal.append(...stampedOps(121, 130));
  await it.deliver();
  assert.equal(it.log.count('regional.ledger.gap'), 2, 'it lacks more than what it last signed');
  it.journal.append(...stampedOps(131, 140));
  await it.deliver();
  assert.equal(it.log.count('regional.ledger.gap'), 2);
  assert.equal(cosignedSize(it), 140);
  it.journal.append(...stampedOps(141, 150));
  await it.deliver();
  assert.equal(cosignedSize(it), 150);
});

test('without a ledger nothing is told, and everything goes on', async () => {
  const it = new UplinkWorld();
  await it.startRegion();
  it.startHub();
  it.journal.append(...stampedOps(1, 20));
  await it.deliver();
  assert.deepEqual(it.regionFiles.list(`region/sites/${SITE}/ledgers/${HUB_ID}`), []);
});
