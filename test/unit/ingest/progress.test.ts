import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { NOTE_INTERVAL, recoverProgress } from '../../../src/ingest/progress.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { encodeLocalEntry } from '../../../src/model/entry.ts';
import { laneOf } from '../../../src/model/origin.ts';
import { openDoor, publishMany, START_MS } from '../../support/memory/doors.ts';
import { HUB } from '../../support/made/ops.ts';

describe('recovered progress', () => {
  const lane = laneOf(HUB, TELEMETRY);
  const emptyStore = { checkpointLsn: 0, highest: () => new Map(), lastStamp: () => undefined };

  it('comes from the store up to its checkpoint and from the journal after it', () => {
    const setup = openDoor();
    publishMany(setup, 10);
    setup.journal.sync();
    const store = {
      checkpointLsn: 4,
      highest: () => new Map([[lane, 4]]),
      lastStamp: () => ({ ms: 5, counter: 0 }),
    };
    const { vector, lastHlc } = recoverProgress({
      hub: HUB,
      journal: setup.journal,
      store,
      log: SILENT_LOG,
    });
    assert.equal(vector.get(lane), 10);
    assert.deepEqual(lastHlc, { ms: START_MS, counter: 9 });
  });

  it('does not begin anew where the store was deleted and the journal has let go of its beginning', () => {
    const setup = openDoor();
    publishMany(setup, 10);
    const note = setup.door.noteProgress();
    setup.journal.sync();
    setup.journal.release(note - 1);
    const progress = recoverProgress({
      hub: HUB,
      journal: setup.journal,
      store: emptyStore,
      log: SILENT_LOG,
    });
    assert.equal(progress.vector.get(lane), 10);
    assert.deepEqual(progress.lastHlc, { ms: START_MS, counter: 9 });
  });

  it('is found near the end of a long journal by the notes that the door makes', () => {
    const setup = openDoor();
    publishMany(setup, 2 * NOTE_INTERVAL + 5000);
    setup.journal.sync();
    let read = 0;
    const counting = {
      firstLsn: 1,
      lastLsn: setup.journal.lastLsn,
      durableLsn: setup.journal.durableLsn,
      waiting: () => setup.journal.waiting(),
      cursor: (fromLsn: number) => {
        const cursor = setup.journal.cursor(fromLsn);
        return {
          next: () => {
            read += 1;
            return cursor.next();
          },
        };
      },
    };
    const { vector } = recoverProgress({
      hub: HUB,
      journal: counting,
      store: emptyStore,
      log: SILENT_LOG,
    });
    assert.equal(vector.get(lane), 2 * NOTE_INTERVAL + 5000);
    assert.ok(read <= 2 * NOTE_INTERVAL + 2, `${read} entries read`);
  });

  it('counts what an open could not make durable yet, for want of room', () => {
    const setup = openDoor();
    publishMany(setup, 10);
    setup.journal.sync(7);
    const { vector } = recoverProgress({
      hub: HUB,
      journal: setup.journal,
      store: emptyStore,
      log: SILENT_LOG,
    });
    assert.equal(vector.get(lane), 10);
  });

  it('never gives a seq again that may have gone with damaged entries', () => {
    const setup = openDoor();
    publishMany(setup, 10);
    setup.journal.sync();
    const recover = (isLost: (lsn: number) => boolean): number | undefined => {
      const journal = Object.assign(Object.create(setup.journal) as typeof setup.journal, {
        cursor: (fromLsn: number) => {
          const cursor = setup.journal.cursor(fromLsn);
          return {
            next: () => {
              let next = cursor.next();
              while (next !== undefined && isLost(next.lsn)) next = cursor.next();
              return next;
            },
          };
        },
      });
      const options = { hub: HUB, journal, store: emptyStore, log: SILENT_LOG };
      return recoverProgress(options).vector.get(lane);
    };
    assert.equal(
      recover(() => false),
      10,
    );
    assert.equal(
      recover((lsn) => lsn > 7),
      10,
    );
    assert.equal(
      recover((lsn) => lsn === 9 || lsn === 10),
      10,
    );
    assert.equal(
      recover((lsn) => lsn > 2 && lsn < 6),
      10,
      'what follows the damage tells',
    );
    assert.equal(
      recover(() => true),
      10,
    );
  });

  it('passes over what it cannot read', () => {
    const setup = openDoor();
    setup.journal.append(utf8('nonsense'), 0);
    setup.journal.append(encodeLocalEntry(Uint8Array.of(0x81, 0x65)), 0);
    publishMany(setup, 1);
    setup.journal.sync();
    const { vector } = recoverProgress({
      hub: HUB,
      journal: setup.journal,
      store: emptyStore,
      log: SILENT_LOG,
    });
    assert.equal(vector.get(lane), 1);
  });
});
