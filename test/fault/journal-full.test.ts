/** A journal that is full to the last byte, and a hub that dies with it: what is receipted goes, and there is room again. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../src/base/bytes.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import { keepNote } from '../../src/hub/storage/kept-note.ts';
import { Retention } from '../../src/hub/storage/retention.ts';
import { Door } from '../../src/ingest/door/door.ts';
import { type Progress, recoverProgress } from '../../src/ingest/progress.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { unfoldable } from '../../src/merge/fold.ts';
import { ALARM, TELEMETRY } from '../../src/model/class.ts';
import { HlcClock } from '../../src/model/hlc.ts';
import { laneOf } from '../../src/model/origin.ts';
import { publish } from '../support/memory/doors.ts';
import { HUB } from '../support/made/ops.ts';
import { Rig, SEGMENT_BYTES } from './journal-rig.ts';

const PATH = '/data/progress';
const EMPTY_STORE = { checkpointLsn: 0, highest: () => new Map(), lastStamp: () => undefined };

function progressOf(rig: Rig, journal: Journal): Progress {
  const keptNote = rig.files.read(PATH);
  return recoverProgress({ hub: HUB, journal, store: EMPTY_STORE, keptNote, log: SILENT_LOG });
}

function doorOf(rig: Rig, journal: Journal): Door {
  const { vector } = progressOf(rig, journal);
  return Door.open({
    hub: HUB,
    bootId: 77,
    hlc: new HlcClock(rig.clock),
    clock: rig.clock,
    log: SILENT_LOG,
    capture: [
      { filter: 'alarms/#', class: 'alarm', keep: 'all' },
      { filter: '#', class: 'telemetry', keep: 'all' },
    ],
    knownVector: vector,
    lingerMs: () => 0,
    unfoldable,
    journal,
  });
}

/** Takes alarms until the journal refuses them too. */
async function fill(rig: Rig, door: Door): Promise<void> {
  for (let i = 1; i < 10_000; i++) {
    const topic = i % 2 === 0 ? 'alarms/door' : 'meters/1';
    const payload = utf8(`${i}`.padStart(300, '0'));
    const { kind } = door.admit(publish({ topic, payload, packetId: 0 }));
    if (i % 10 === 0) await rig.settle();
    if (kind === 'refused' && topic === 'alarms/door') return;
  }
  assert.fail('the journal never fills');
}

async function retain(rig: Rig, door: Door, journal: Journal): Promise<void> {
  const { files, clock } = rig;
  const done = (): Promise<number> => Promise.resolve(journal.durableLsn);
  const retention = new Retention({
    journal,
    door,
    keepProgress: () => keepNote({ files, path: PATH, journal, door, log: SILENT_LOG }),
    clock,
    timers: clock,
    log: SILENT_LOG,
    receiptedLsn: () => journal.durableLsn,
    settleStore: done,
    flushLedger: done,
    settleAssets: done,
    lostLsn: () => Infinity,
    sessions: { pinnedLsn: Infinity, cutThrough: () => undefined, sumUp: done },
    keepMs: 0,
  });
  retention.look();
  await rig.settle();
  await retention.close();
}

test.each(['kill', 'power-cut'] as const)('a full journal after a %s', async (how) => {
  const rig = new Rig(5, { totalBytesMax: 4 * SEGMENT_BYTES });
  rig.files.makeDir('/data');
  rig.files.syncDir('/');
  let journal = await rig.open();
  let door = doorOf(rig, journal);
  await fill(rig, door);
  // Deaths take the room that the end of the last segment still had.
  for (let death = 0; death < 3; death++) {
    rig.end(how);
    journal = await rig.open();
    door = doorOf(rig, journal);
    await fill(rig, door);
  }
  const before = journal.firstLsn;
  const vector = door.vector();
  await retain(rig, door, journal);
  assert.ok(journal.firstLsn > before, 'what is receipted goes');
  await rig.clock.advance(60_000);
  assert.equal(door.admit(publish({ topic: 'alarms/door' })).kind, 'journaled');
  await rig.settle();
  assert.equal(journal.durableLsn, journal.lastLsn);
  const lanes = [laneOf(HUB, ALARM), laneOf(HUB, TELEMETRY)] as const;
  const [alarms = 0, readings = 0] = lanes.map((lane) => vector.get(lane) ?? 0);
  assert.ok(alarms > 10 && readings > 10);
  rig.end(how);
  const after = progressOf(rig, await rig.open());
  assert.equal(
    after.vector.get(lanes[0]),
    alarms + 1,
    'no number is given twice, none is left out',
  );
  assert.equal(after.vector.get(lanes[1]), readings);
});
