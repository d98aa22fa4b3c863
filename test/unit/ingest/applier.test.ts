import assert from 'node:assert/strict';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { HubError } from '../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { Applier, type ApplierOptions, type FoldingStore } from '../../../src/ingest/applier.ts';
import { NOTE_INTERVAL, recoverProgress } from '../../../src/ingest/progress.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { encodeLocalEntry } from '../../../src/model/entry.ts';
import { laneOf } from '../../../src/model/origin.ts';
import { machineFiles } from '../../../src/platform/machine-files.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { Store } from '../../../src/store/store.ts';
import { type DoorSetup, openDoor, publish, START_MS } from '../../support/doors.ts';
import { DoorJournal } from '../../support/door-journal.ts';
import { HUB } from '../../support/ops.ts';
import { openStore } from '../../support/stores.ts';
import { tempDir } from '../../support/temp-dir.ts';

const HOUR_MS = 3_600_000;

interface Follower {
  readonly applier: Applier;
  readonly clock: SimClock;
  readonly faults: HubError[];
}

function follow(
  journal: DoorJournal,
  store: FoldingStore,
  options: Partial<ApplierOptions> = {},
): Follower {
  const clock = new SimClock(START_MS);
  const faults: HubError[] = [];
  const onFault = (fault: HubError): void => {
    faults.push(fault);
  };
  const applier = Applier.start({
    journal,
    store,
    clock,
    siteClock: clock,
    timers: clock,
    log: SILENT_LOG,
    onFault,
    ...options,
  });
  return { applier, clock, faults };
}

function publishMany({ door }: DoorSetup, count: number): void {
  for (let i = 0; i < count; i++) {
    door.admit(publish({ packetId: 0, topic: `meters/${i % 7}`, payload: utf8(`${i}`) }));
  }
}

/** A store that folds nothing and remembers what it was told. */
class RecordingStore implements FoldingStore {
  checkpointLsn = 0;
  appliedLsn = 0;
  durableLsn = 0;
  isFlushDue = false;
  pages = 0;
  staged: number[] = [];
  readonly calls: string[] = [];
  readonly pruned: number[] = [];
  fault: HubError | undefined;
  /** Whether `persist` waits for `finishPersist`. */
  holds = false;
  finishPersist: (() => void) | undefined;

  stageEntry(lsn: number, entry: Uint8Array): string | undefined {
    if (this.fault !== undefined) throw this.fault;
    this.appliedLsn = lsn;
    if (entry[0] !== 0x82 && entry[0] !== 0x83) return 'no entry';
    this.staged.push(lsn);
    return undefined;
  }

  flush(_keysMax: number, compact: boolean): boolean {
    this.calls.push(compact ? 'compact' : 'flush');
    return true;
  }

  commit(): void {
    this.checkpointLsn = Math.max(this.checkpointLsn, this.appliedLsn);
    this.isFlushDue = false;
    this.calls.push('commit');
  }

  unsettledPages(): number {
    return this.pages;
  }

  persist(): Promise<number> {
    this.commit();
    this.calls.push('persist');
    return new Promise((resolve) => {
      this.finishPersist = () => {
        this.durableLsn = this.checkpointLsn;
        this.pages = 0;
        resolve(this.durableLsn);
      };
      if (!this.holds) this.finishPersist();
    });
  }

  prune(nowMs: number): number {
    this.pruned.push(nowMs);
    return 0;
  }
}

describe('applier', () => {
  it('folds what is durable and nothing beyond', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { applier, clock } = follow(setup.journal, store);
    publishMany(setup, 10);
    setup.journal.sync(6);
    await clock.advance(1000);
    assert.deepEqual(store.staged, [1, 2, 3, 4, 5, 6]);
    assert.equal(applier.appliedLsn, 6);
    assert.equal(applier.lag, 0);
    setup.journal.sync();
    assert.equal(applier.lag, 4);
    await clock.advance(1000);
    assert.equal(applier.appliedLsn, 10);
  });

  it('passes unreadable entries, and says how many', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { applier, clock } = follow(setup.journal, store);
    setup.journal.append(utf8('nonsense'), 0);
    publishMany(setup, 1);
    setup.journal.sync();
    await clock.advance(1000);
    assert.deepEqual(store.staged, [2]);
    assert.equal(applier.appliedLsn, 2);
    assert.equal(applier.unreadable, 1);
  });

  it('keeps what it has folded when enough has gathered, and within the hour in any case', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { clock } = follow(setup.journal, store);
    publishMany(setup, 3);
    setup.journal.sync();
    await clock.advance(1000);
    assert.deepEqual(store.calls, []);
    store.isFlushDue = true;
    publishMany(setup, 1);
    setup.journal.sync();
    await clock.advance(1000);
    assert.deepEqual(store.calls, ['flush', 'commit']);
    publishMany(setup, 1);
    setup.journal.sync();
    await clock.advance(1000);
    assert.equal(store.checkpointLsn, 4);
    await clock.advance(HOUR_MS);
    assert.equal(store.calls[2], 'compact');
    assert.equal(store.calls.at(-1), 'persist');
    assert.equal(store.durableLsn, 5);
  });

  it('lets a lone message wait for company, unless somebody waits for it', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { applier, clock } = follow(setup.journal, store);
    await clock.advance(1);
    publishMany(setup, 1);
    setup.journal.sync();
    await clock.advance(10);
    assert.equal(applier.appliedLsn, 0);
    await Promise.all([applier.caughtUp(1), clock.advance(1)]);
    assert.equal(applier.appliedLsn, 1);
  });

  it('resolves caughtUp when the LSN is in the store, also one to come', async () => {
    const setup = openDoor();
    const { applier, clock } = follow(setup.journal, new RecordingStore());
    let done = false;
    const caughtUp = applier.caughtUp(3).then(() => {
      done = true;
      return done;
    });
    publishMany(setup, 2);
    setup.journal.sync();
    await clock.advance(1000);
    assert.equal(done, false);
    publishMany(setup, 1);
    setup.journal.sync();
    await clock.advance(1);
    assert.equal(await caughtUp, true);
  });

  it('stages nothing while the store is made durable, and goes on afterwards', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { applier, clock } = follow(setup.journal, store);
    store.holds = true;
    store.pages = 10_000;
    store.isFlushDue = true;
    publishMany(setup, 5);
    setup.journal.sync();
    await clock.advance(1000);
    assert.equal(store.calls.at(-1), 'persist');
    publishMany(setup, 5);
    setup.journal.sync();
    await clock.advance(1000);
    assert.equal(store.calls.at(-1), 'persist');
    store.finishPersist?.();
    await clock.advance(1000);
    assert.equal(applier.appliedLsn, 10);
    assert.equal(store.durableLsn, 5);
  });

  it('settles on demand, one after the other', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { applier, clock } = follow(setup.journal, store);
    publishMany(setup, 3);
    setup.journal.sync();
    await clock.advance(1000);
    store.holds = true;
    const both = Promise.all([applier.settle(), applier.settle()]);
    for (let i = 0; i < 4; i++) {
      store.finishPersist?.();
      await clock.advance(1);
    }
    assert.deepEqual(await both, [3, 3]);
  });

  it('stops at a fault of the store, reports it once and rejects who waits', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { applier, clock, faults } = follow(setup.journal, store);
    store.fault = new HubError('store.damaged', 'bad page');
    publishMany(setup, 3);
    setup.journal.sync();
    const rejected = assert.rejects(applier.caughtUp(3), /bad page/);
    await clock.advance(1000);
    await rejected;
    setup.journal.sync();
    await clock.advance(1000);
    assert.deepEqual(faults, [store.fault]);
    assert.equal(applier.fault, store.fault);
    await assert.rejects(applier.caughtUp(3), /bad page/);
    await applier.stop();
  });

  it('keeps what it has folded when it is stopped', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { applier, clock } = follow(setup.journal, store);
    publishMany(setup, 3);
    setup.journal.sync();
    const late = assert.rejects(applier.caughtUp(99), /ended/);
    await clock.advance(1000);
    await applier.stop();
    await late;
    assert.equal(store.checkpointLsn, 3);
    publishMany(setup, 3);
    setup.journal.sync();
    await clock.advance(1000);
    assert.equal(store.checkpointLsn, 3);
  });

  it('prunes by the clock now and then, but not by one that nobody has set', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { clock } = follow(setup.journal, store);
    const publishAndWait = async (): Promise<void> => {
      publishMany(setup, 1);
      setup.journal.sync();
      await clock.advance(HOUR_MS);
    };
    clock.jumpWall(1000, 'unknown');
    await publishAndWait();
    await publishAndWait();
    assert.deepEqual(store.pruned, []);
    clock.jumpWall(START_MS, 'ntp');
    await publishAndWait();
    await publishAndWait();
    assert.ok(store.pruned.every((nowMs) => nowMs >= START_MS) && store.pruned.length > 0);
  });

  it('with the real store and clock ends at the digest of one big batch, damaged or deleted in between', async () => {
    const dir = tempDir();
    const setup = openDoor();
    publishMany(setup, 5000);
    setup.journal.sync();
    const path = join(dir, 'state.db');
    const digests: string[] = [];
    for (const round of ['whole', 'deleted', 'kept']) {
      if (round === 'deleted') Store.remove(machineFiles, path);
      const store = openStore(dir);
      const { applier } = follow(setup.journal, store, { timers: machineTimers });
      await applier.caughtUp(5000);
      digests.push(store.digest().digest);
      assert.equal(await applier.settle(), 5000);
      await applier.stop();
      store.close();
    }
    assert.equal(new Set(digests).size, 1);
  });
});

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
