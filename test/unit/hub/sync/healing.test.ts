/** When a damaged range counts as healed, and what is believed to be nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { Healing } from '../../../../src/hub/sync/healing.ts';
import { HoleBook } from '../../../../src/ingest/door/hole-book.ts';
import { LOG, RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { encodeOpEntry } from '../../../../src/model/entry.ts';
import { laneOf } from '../../../../src/model/origin.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { DEVICE_A } from '../../../support/made/ops.ts';
import { HUB_ID, START_MS, stampedOp } from '../../../support/made/batches.ts';

const LANE = laneOf(HUB_ID, TELEMETRY);
const RANGE = { fromLsn: 3, toLsn: 5, file: 'quarantine/x', isHealed: false };

/** A hub of eight telemetry ops, of which the LSNs 3 to 5 are damaged, and a record lane of which nobody knows. */
class World {
  readonly clock = new SimClock(START_MS);
  readonly files: SimFiles;
  readonly holes = new HoleBook();
  readonly healed: (typeof RANGE)[] = [];
  quarantined = [RANGE];
  readonly vector = new Map([
    [LANE, 8],
    [laneOf(HUB_ID, RECORD), 3],
  ]);
  receiptedLsn: number | undefined = 8;
  onDamage: (range: typeof RANGE) => void = () => undefined;
  /** Why nothing becomes durable. */
  trouble: HubError | undefined;
  /** What is to become durable waits for it. */
  gate: Promise<void> = Promise.resolve();
  searches = 0;
  readonly healing: Healing;
  readonly journal = {
    firstLsn: 1,
    lastLsn: 8,
    stat: () => ({ quarantined: this.quarantined }),
    onQuarantine: (listener: (range: typeof RANGE) => void) => (this.onDamage = listener),
    whenDurable: () => (this.trouble ? Promise.reject(this.trouble) : this.gate),
    cursor: () => {
      this.searches += 1;
      return this.#cursor();
    },
    heal: (range: typeof RANGE) => {
      this.healed.push(range);
      this.quarantined = this.quarantined.filter((it) => it !== range);
    },
  };

  constructor(files = new SimFiles({ random: new SeededRandom(1) })) {
    this.files = files;
    const { vector } = this;
    this.healing = new Healing({
      clock: this.clock,
      files,
      door: { vector: () => vector, holes: this.holes },
      journal: this.journal,
      hub: HUB_ID,
      receiptedLsn: () => this.receiptedLsn,
      dir: 'uplink',
      timers: this.clock,
      log: SILENT_LOG,
    });
  }

  async begin(): Promise<void> {
    this.healing.begin();
    await this.clock.advance(3_000);
  }

  #cursor() {
    const lsns = [1, 2, 6, 7, 8];
    return {
      next: () => {
        const lsn = lsns.shift();
        if (lsn === undefined) return undefined;
        const { bytes, stamp } = stampedOp(lsn);
        return { lsn, entry: encodeOpEntry(bytes, stamp) };
      },
    };
  }

  fill(...seqs: number[]): void {
    for (const seq of seqs) this.holes.fill(LANE, seq);
  }

  /** Four records of a device are in the journal, too. */
  async beginWithDevice(): Promise<void> {
    this.vector.delete(laneOf(HUB_ID, RECORD));
    for (const opClass of [RECORD, LOG] as const) this.vector.set(laneOf(DEVICE_A, opClass), 4);
    await this.begin();
    for (const seq of [1, 2, 3, 4]) this.holes.fill(laneOf(DEVICE_A, RECORD), seq);
  }
}

const RECORDS = { origin: HUB_ID, class: RECORD, from: 1, to: 3 } as const;
const READINGS = { origin: HUB_ID, class: TELEMETRY, from: 3, to: 5 } as const;

describe('healing', () => {
  test('asks for what is missing, and is due at once', async () => {
    const world = new World();
    await world.begin();
    assert.deepEqual(world.healing.lacks(), [RECORDS, READINGS]);
    assert.ok(world.healing.isDue);
    assert.deepEqual(world.healing.status(), { lackedOps: 6, region: 'unasked' });
  });

  test('says that it looks until it knows what is missing', async () => {
    const world = new World();
    world.healing.begin();
    assert.ok(world.healing.isLooking);
    assert.deepEqual(world.holes.list(), []);
    await world.clock.advance(3_000);
    assert.equal(world.healing.isLooking, false);
    assert.equal(world.holes.list().length, 2);
  });

  test('calls no range healed before it has looked what is missing there', async () => {
    const world = new World();
    world.receiptedLsn = undefined;
    world.quarantined = [];
    await world.begin();
    await world.healing.search();
    world.fill(3, 4, 5);
    for (const seq of [1, 2, 3]) world.holes.fill(laneOf(HUB_ID, RECORD), seq);
    // It looks around every ten seconds: what is met a moment before has not been searched then.
    await world.clock.advance(6_000);
    world.quarantined = [RANGE];
    world.onDamage(RANGE);
    await world.clock.advance(1_500);
    assert.deepEqual([world.healing.isLooking, world.healed], [true, []]);
  });

  test.each([0, 3_000])(
    'looks again where more damage is met while it looks, over %i ms later',
    async (ms) => {
      const world = new World();
      let letGo = (): void => undefined;
      world.gate = new Promise((resolve) => (letGo = resolve));
      await world.begin();
      world.onDamage(RANGE);
      await world.clock.advance(ms);
      letGo();
      await world.clock.advance(0);
      // A search that is over may have passed the place before.
      const isOver = ms > 2_000;
      assert.deepEqual([world.healing.isLooking, world.searches], [!isOver, isOver ? 2 : 1]);
      await world.clock.advance(3_000);
      assert.deepEqual([world.healing.isLooking, world.searches], [false, 2]);
    },
  );

  test('looks again where it could not', async () => {
    const world = new World();
    world.trouble = new HubError('journal.busy', 'for a test');
    await world.begin();
    assert.ok(world.healing.isLooking);
    world.trouble = undefined;
    await world.clock.advance(60_000);
    assert.deepEqual([world.healing.isLooking, world.holes.list().length], [false, 2]);
  });

  test('calls a range healed when nothing is missing, and numbers for nothing are known to be that', async () => {
    const world = new World();
    await world.begin();
    world.healing.told([RECORDS, READINGS], { ops: 3, wholeFromLsn: 0 });
    assert.equal(world.healing.isDue, false);
    world.fill(3, 4, 5);
    world.healing.came();
    await world.clock.advance(6_000);
    assert.deepEqual(world.healed, [], 'three records may be missing');
    assert.ok(world.healing.isDue);
    world.healing.told([RECORDS], { ops: 0, wholeFromLsn: 3 });
    await world.clock.advance(100);
    assert.deepEqual(world.healed, [RANGE]);
    assert.equal(world.healing.status().lackedOps, 0);
  });

  test('gives nothing up that was not receipted when its damage was met, not after a restart either', async () => {
    const world = new World();
    world.receiptedLsn = 4;
    await world.begin();
    const again = new World(world.files);
    await again.begin();
    for (const { healing } of [world, again]) {
      healing.told([RECORDS, READINGS], { ops: 0, wholeFromLsn: 0 });
      assert.equal(healing.status().lackedOps, 6);
      assert.equal(healing.status().region, 'has-none');
      assert.equal(healing.isDue, false);
    }
  });

  test('a start without an uplink says nothing of what was receipted', async () => {
    const alone = new World();
    alone.receiptedLsn = undefined;
    await alone.begin();
    const world = new World(alone.files);
    await world.begin();
    world.healing.told([RECORDS, READINGS], { ops: 0, wholeFromLsn: 0 });
    await world.clock.advance(100);
    assert.deepEqual(world.healed, [RANGE]);
  });

  test('gives nothing up where the region does not know all', async () => {
    const world = new World();
    await world.begin();
    world.healing.told([RECORDS, READINGS], { ops: 0, wholeFromLsn: 4 });
    world.healing.told([RECORDS, READINGS], undefined);
    assert.equal(world.healing.status().lackedOps, 6);
  });

  test('asks for what may have stood at the ends of lanes of others, and calls nothing healed before the answer', async () => {
    const world = new World();
    await world.beginWithDevice();
    const end = { origin: DEVICE_A, class: RECORD, from: 5, to: 7 } as const;
    assert.deepEqual(world.healing.lacks(), [READINGS, end]);
    assert.equal(world.healing.status().lackedOps, 3, 'what may be is not counted');
    world.fill(3, 4, 5);
    world.healing.told([READINGS, end], { ops: 5, wholeFromLsn: 0 });
    // Five of them came: three fill the hole, two go on behind the end.
    world.vector.set(laneOf(DEVICE_A, RECORD), 6);
    world.healing.came();
    await world.clock.advance(20_000);
    assert.deepEqual(world.healed, []);
    assert.ok(world.healing.isDue);
    assert.deepEqual(world.healing.lacks(), [{ ...end, from: 7, to: 9 }]);
    world.healing.told(world.healing.lacks(), { ops: 0, wholeFromLsn: 0 });
    await world.clock.advance(20_000);
    assert.deepEqual([world.healed, world.healing.lacks()], [[RANGE], []]);
  });

  test('without a region asks for no ends', async () => {
    const world = new World();
    world.receiptedLsn = undefined;
    await world.beginWithDevice();
    assert.deepEqual(world.healing.lacks(), [READINGS]);
    world.fill(3, 4, 5);
    await world.clock.advance(20_000);
    assert.deepEqual(world.healed, [RANGE]);
  });

  test('keeps the journal while the region may give back, and no longer', async () => {
    const world = new World();
    await world.begin();
    assert.equal(world.healing.pinnedLsn, 3);
    world.healing.told([RECORDS, READINGS], { ops: 0, wholeFromLsn: 4 });
    assert.equal(world.healing.pinnedLsn, Infinity);
  });

  test('calls nothing healed around which the journal has let go', async () => {
    const world = new World();
    world.journal.firstLsn = 6;
    await world.begin();
    world.fill(1, 2, 3, 4, 5);
    for (const { lane, from, to } of world.holes.list()) world.holes.drop(lane, from, to);
    await world.clock.advance(30_000);
    assert.deepEqual(world.healed, []);
    assert.equal(world.healing.pinnedLsn, Infinity);
  });
});
