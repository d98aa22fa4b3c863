import assert from 'node:assert/strict';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import {
  Applier,
  type ApplierOptions,
  type FoldingStore,
} from '../../../../src/ingest/applying/applier.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { Store } from '../../../../src/store/store.ts';
import { openDoor, publishMany, START_MS } from '../../../support/memory/doors.ts';
import { DoorJournal } from '../../../support/memory/door-journal.ts';
import { openStore } from '../../../support/memory/stores.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

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

  it('packs what took seconds to gather, also where it is a whole transaction', async () => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { clock } = follow(setup.journal, store);
    await clock.advance(6000);
    store.isFlushDue = true;
    publishMany(setup, 1);
    setup.journal.sync();
    await clock.advance(1000);
    assert.deepEqual(store.calls, ['compact', 'commit']);
    store.isFlushDue = true;
    publishMany(setup, 1);
    setup.journal.sync();
    await clock.advance(1000);
    assert.deepEqual(store.calls.slice(2), ['flush', 'commit']);
  });

  it.each([
    ['packs where a group or two are not folded yet', 200, 'compact'],
    ['does not pack in the midst of a burst', 5_000, 'flush'],
  ])('%s', async (_name, count, expected) => {
    const setup = openDoor();
    const store = new RecordingStore();
    const { clock } = follow(setup.journal, store);
    await clock.advance(6000);
    store.isFlushDue = true;
    publishMany(setup, count);
    setup.journal.sync();
    await clock.advance(1000);
    assert.equal(store.calls[0], expected);
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
    clock.jumpWall(Date.UTC(2106, 1, 7), 'rtc');
    await publishAndWait();
    await publishAndWait();
    assert.ok(
      store.pruned.every((nowMs) => nowMs < START_MS + 10 * HOUR_MS),
      'nor by a leap',
    );
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
