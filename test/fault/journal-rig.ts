/**
 * A journal on a simulated machine, with a model beside it of what was appended and acknowledged, and the checker:
 * acknowledged ⊆ present, LSNs contiguous, entries byte-equal, nothing torn presented, nothing lost in silence.
 */
import assert from 'node:assert/strict';

import { bytesEqual } from '../../src/base/bytes.ts';
import type { Timers } from '../../src/base/clock.ts';
import { type Log, SILENT_LOG } from '../../src/base/log.ts';
import { below } from '../../src/base/random.ts';
import { Journal, type JournalOptions } from '../../src/journal/journal.ts';
import { PLAIN_SEALER, type Sealer } from '../../src/journal/sealer.ts';
import { EpochKeys } from '../../src/keys/epochs.ts';
import { JournalSealer } from '../../src/keys/journal-sealer.ts';
import { kekOf } from '../../src/keys/key-encryption.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { SimCrash, SimFiles } from '../../src/platform/sim/files.ts';
import { SimLife } from '../../src/platform/sim/life.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';

export const DIR = '/journal';
export const KEYS_DIR = '/keys/epochs';
export const SEGMENT_BYTES = 16 * 1024;
const ALIKE_LINGER_MS = 20;

/** Whether blocks are sealed, as a hub's are, with keys on the same disk. */
export type Sealing = 'plain' | 'sealed';
export const SEALINGS: readonly Sealing[] = ['plain', 'sealed'];

export class Rig {
  readonly random: SeededRandom;
  readonly files: SimFiles;
  readonly clock = new SimClock(1_800_000_000_000);
  readonly log: Log = SILENT_LOG;
  readonly options: JournalOptions;
  readonly sealing: Sealing;
  /** Every entry by LSN, as it was appended last. */
  readonly appended = new Map<number, Uint8Array>();
  /** Highest LSN that was acknowledged. */
  acknowledged = 0;
  /** How long a commit may take, in simulated time. */
  patienceMs = 5;
  /** Highest LSN that was released, whether durably so or not. */
  released = 0;
  #journal: Journal | undefined;
  #life: SimLife | undefined;

  constructor(seed: number, options: Partial<JournalOptions> = {}, sealing: Sealing = 'plain') {
    this.sealing = sealing;
    this.random = new SeededRandom(seed);
    this.files = new SimFiles({ random: this.random.fork('disk'), capacityBytes: 1 << 22 });
    this.options = {
      files: this.files,
      dir: DIR,
      clock: this.clock,
      timers: this.clock,
      log: this.log,
      random: this.random.fork('salt'),
      segmentBytes: SEGMENT_BYTES,
      totalBytesMax: 64 * SEGMENT_BYTES,
      freeBytesMin: 0,
      sealer: PLAIN_SEALER,
      ...options,
    };
  }

  /** The same journal on a disk of its own, as if nothing had been opened. */
  fork(): Rig {
    const copy = new Rig(1, { segmentBytes: this.options.segmentBytes }, this.sealing);
    for (const dir of [DIR, KEYS_DIR]) this.#copyFolder(dir, copy.files);
    for (const [lsn, entry] of this.appended) copy.appended.set(lsn, entry);
    copy.acknowledged = this.acknowledged;
    return copy;
  }

  #copyFolder(dir: string, into: SimFiles): void {
    into.makeDir(dir);
    for (const name of this.files.list(dir)) {
      const file = into.open(`${dir}/${name}`, 'create');
      file.writeAt(this.files.read(`${dir}/${name}`) ?? new Uint8Array(0), 0);
      file.datasyncNow();
    }
    into.syncDir(dir);
  }

  /** As one process makes itself one: what it holds in memory dies with it. */
  sealer(): Sealer {
    if (this.sealing === 'plain') return this.options.sealer;
    const { files, log, random, clock } = this;
    const kek = kekOf(new Uint8Array(32).fill(7));
    const keys = new EpochKeys({ files, log, dir: KEYS_DIR, openers: [kek] });
    return new JournalSealer({ keys, clock, kek, random, escrowKey: undefined });
  }

  /** Those of the process that has the journal open. */
  get timers(): Timers {
    assert.ok(this.#life, 'a process runs');
    return this.#life.timers;
  }

  get journal(): Journal {
    assert.ok(this.#journal, 'the journal is open');
    return this.#journal;
  }

  get isPoisoned(): boolean {
    return this.#journal?.fault?.code === 'journal.poisoned';
  }

  async open(options: Partial<JournalOptions> = {}): Promise<Journal> {
    this.#life = new SimLife(this.clock);
    const journal = await Journal.open({
      ...this.options,
      ...options,
      timers: this.#life.timers,
      sealer: this.sealer(),
    });
    let previous = journal.durableLsn;
    journal.onDurable((lsn) => {
      assert.ok(lsn > previous, 'acknowledgements go up');
      previous = lsn;
      this.acknowledged = Math.max(this.acknowledged, lsn);
    });
    this.#journal = journal;
    return journal;
  }

  /** Appends entries of random sizes in one turn of the event loop, so mostly as one group. */
  append(count: number, bytesMax = 400): void {
    for (let i = 0; i < count; i++) this.#append(this.random.bytes(this.#length(bytesMax)), 0);
  }

  /** The same of entries that are much alike and may wait, so that their block is packed. */
  appendAlike(count: number, bytesMax = 400): void {
    for (let i = 0; i < count; i++) {
      const entry = new Uint8Array(this.#length(bytesMax)).fill(0x78);
      entry[0] = below(this.random, 256);
      this.#append(entry, ALIKE_LINGER_MS);
    }
  }

  #length(bytesMax: number): number {
    return 1 + below(this.random, bytesMax);
  }

  #append(entry: Uint8Array, lingerMs: number): void {
    const lsn = this.journal.lastLsn + 1;
    this.appended.set(lsn, entry);
    assert.equal(this.journal.append(entry, lingerMs), lsn);
  }

  /** Lets what is on its way come to its end. */
  async settle(ms = this.patienceMs): Promise<void> {
    await this.clock.advance(ms);
    if (this.files.crashed) throw new SimCrash('crashed in the background');
  }

  /** Appends and waits for the acknowledgement. */
  async commit(count: number, bytesMax?: number): Promise<void> {
    this.append(count, bytesMax);
    await this.settle();
    assert.equal(this.acknowledged, this.journal.lastLsn);
  }

  async commitAlike(count: number, bytesMax?: number): Promise<void> {
    this.appendAlike(count, bytesMax);
    await this.settle(ALIKE_LINGER_MS + this.patienceMs);
    assert.equal(this.acknowledged, this.journal.lastLsn);
  }

  release(throughLsn: number): void {
    this.released = Math.max(this.released, throughLsn);
    this.journal.release(throughLsn);
  }

  async close(): Promise<void> {
    const closed = this.journal.close();
    await this.settle();
    await closed;
  }

  /** Runs until it ends or the machine crashes; true where it crashed. */
  async crashes(run: (rig: Rig) => Promise<void>): Promise<boolean> {
    try {
      await run(this);
    } catch (error) {
      if (!(error instanceof SimCrash)) {
        // A crash may surface as a refusal of the journal, which takes the dead disk for a failing one.
        if (!this.files.crashed) throw error;
      }
    }
    return this.files.crashed;
  }

  /** The process or the whole machine ends; the next open finds what is left. */
  end(how: 'kill' | 'power-cut'): void {
    if (how === 'kill') this.files.kill();
    else this.files.powerCut();
    this.#life?.end();
    this.#journal = undefined;
  }

  /** Reads everything and compares it with the model. */
  check(): void {
    const { journal } = this;
    assert.ok(journal.firstLsn <= this.released + 1, 'only what was released is gone');
    assert.ok(
      journal.durableLsn >= this.acknowledged,
      `acknowledged ${this.acknowledged}, there is ${journal.durableLsn}`,
    );
    let expected = journal.firstLsn;
    const cursor = journal.cursor(1);
    for (let read = cursor.next(); read !== undefined; read = cursor.next()) {
      assert.equal(read.lsn, expected, 'LSNs are contiguous');
      const appended = this.appended.get(read.lsn);
      assert.ok(
        appended !== undefined && bytesEqual(appended, read.entry),
        `entry ${read.lsn} is as it was appended`,
      );
      expected += 1;
    }
    assert.equal(expected, journal.durableLsn + 1, 'everything durable can be read');
    assert.deepEqual(journal.stat().quarantined, []);
    // What lies behind was never acknowledged, and its LSNs are free.
    for (const lsn of this.appended.keys()) if (lsn > journal.lastLsn) this.appended.delete(lsn);
    this.acknowledged = journal.durableLsn;
  }

  /** The journal that is there works: it takes more, closes, opens and still has everything. */
  async checkUsable(): Promise<void> {
    this.check();
    await this.commit(3);
    this.check();
    await this.close();
    await this.open();
    this.check();
    await this.close();
  }
}
