/**
 * Opens a journal: carries out what the tables of recovery.ts say about what survey.ts found. In this order, so
 * that a crash in the middle leaves nothing worse than before: damage is kept aside first; then a fresh segment is
 * made that holds the doubtful end of the last run; only when that is durable does what it replaces lose its name.
 *
 * Every open goes on in a fresh segment, so a block that an earlier run left half written is never written over
 * in place, and a new data key never meets old bytes.
 */
import { must } from '../../base/assert.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Clock, Timers } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { DirectoryLock, Files } from '../../platform/files/files.ts';
import type { Block } from '../block-reader.ts';
import { BLOCK_HEAD_BYTES, BLOCKS_START, JOURNAL_ID_BYTES, type Lsn } from '../format.ts';
import { Group } from '../commit/group.ts';
import { entriesOf } from '../payload.ts';
import { kindOfName, numberOfName } from '../segments/names.ts';
import { Quarantine } from './quarantine.ts';
import { decide, TAIL_ROWS } from './recovery.ts';
import type { Sealer } from '../sealer.ts';
import { needKey, sealBroken, type Segment, SegmentHandles } from '../segments/segment.ts';
import { SegmentSupply } from '../segments/supply.ts';
import type { Prepared, WriteCounts } from '../segments/supply-contract.ts';
import { type Survey, survey, type Tail } from './survey.ts';
import { readWhatCanBe } from './tolerant-read.ts';
import { SegmentWalk } from './walk.ts';

export interface JournalOptions {
  readonly files: Files;
  /** Folder of the journal alone; made where it does not exist. */
  readonly dir: string;
  /** Measures how long syncs take. */
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Timers;
  readonly log: Log;
  readonly random: Random;
  readonly segmentBytes: number;
  /** Of all files together, those being prepared included; at least three segments. */
  readonly totalBytesMax: number;
  /** Below so much free space on the disk nothing is admitted. */
  readonly freeBytesMin: number;
  readonly sealer: Sealer;
  /** Whoever numbers what entries carry begins anew: the journal may go on where its end is lost. */
  readonly endsAnywhere?: boolean;
  /** Most that may wait for the card; 4 MiB, or what a segment holds. */
  readonly pendingBytesMax?: number;
}

/** What recovery found and did, for the log and for doctor. */
export interface RecoveryReport {
  readonly segments: number;
  /** True where the last run ended without a close. */
  readonly crashed: boolean;
  /** True where a block was cut that was never acknowledged. */
  readonly torn: boolean;
  readonly rewrittenEntries: number;
  /** Damaged ranges that were not known before this open. */
  readonly newlyQuarantined: number;
  /** Damaged bytes that held no entry, damaged header copies. */
  readonly scars: number;
}

export interface Opened {
  readonly lock: DirectoryLock;
  readonly handles: SegmentHandles;
  readonly quarantine: Quarantine;
  readonly supply: SegmentSupply;
  /** Oldest first; the active one is the last, where there is one. */
  readonly segments: Segment[];
  /** Undefined where there was no room for a fresh segment. */
  readonly active: Prepared | undefined;
  /** Where in the active segment the next block goes. */
  readonly offset: number;
  /** What could not be rewritten yet, for want of a segment, waits in here. */
  readonly group: Group;
  readonly nextLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly report: RecoveryReport;
}

/** What of the last run's end goes into the fresh segment. */
interface Rewrite {
  /** The next LSN where nothing is rewritten. */
  readonly firstLsn: Lsn;
  readonly payloads: readonly Uint8Array[];
  /** True where nothing of the tail counts any more once the rewritten entries are durable. */
  readonly replacesTail: boolean;
}

/** A tail up to this part of a segment is copied whole. */
const SMALL_PART = 8;

/**
 * Throws `data.locked`, `data.newer`, `data.unreadable` or `journal.unsealable`; and `journal.cut`, with nothing
 * changed, where a segment cannot be read that may hold the last entries. A full disk is no reason to throw: the
 * journal can be read, and goes on when there is room.
 */
export function openJournal(options: JournalOptions, counts: WriteCounts): Opened {
  const { files, dir } = options;
  files.makeDir(dir);
  const lock = files.lockDir(dir);
  try {
    // What the folder shows may be in memory only, where the last process was killed before it synced the folder.
    files.syncDir(dir);
    return { lock, ...new Opening(options, counts).run() };
  } catch (error) {
    lock.release();
    if (error instanceof HubError || systemCode(error) === undefined) throw error;
    throw new HubError(
      'data.unreadable',
      `cannot open the journal in ${dir}: ${messageOf(error)}`,
      error,
    );
  }
}

class Opening {
  readonly #options: JournalOptions;
  readonly #handles: SegmentHandles;
  readonly #quarantine: Quarantine;
  readonly #survey: Survey;
  readonly #supply: SegmentSupply;
  readonly #group = new Group();
  #newlyQuarantined = 0;

  constructor(options: JournalOptions, counts: WriteCounts) {
    const { files, dir, random, log } = options;
    this.#options = options;
    this.#handles = new SegmentHandles(files);
    this.#quarantine = new Quarantine(files, dir, log);
    this.#survey = survey(files, dir, this.#handles);
    const { segments, vacant, journalId, names, lastNumber, highestEpoch } = this.#survey;
    options.sealer.begin(highestEpoch);
    this.#supply = new SegmentSupply({
      ...options,
      counts,
      journalId: journalId ?? random.bytes(JOURNAL_ID_BYTES),
      spares: names.reuse,
      liveBytes: [...segments, ...vacant].reduce((sum, segment) => sum + segment.sizeBytes, 0),
      nextNumber: lastNumber + 1,
    });
  }

  run(): Omit<Opened, 'lock'> {
    const cut = endFault(this.#options.dir, this.#survey);
    if (cut !== undefined && this.#options.endsAnywhere !== true) throw cut;
    this.#checkKeys();
    this.#keepDamageAside();
    this.#removeTemporaries();
    const { tail, vacant, nextLsn } = this.#survey;
    const segments = [...this.#survey.segments];
    const inOrder = vacant.toSorted((a, b) => a.number - b.number);
    // Where no other segment tells the LSNs, the empty one that does has its name until a fresh one has.
    const teller =
      segments.length === 0
        ? inOrder.findLast(({ header }) => header.baseLsn === nextLsn)
        : undefined;
    for (const segment of inOrder) if (segment !== teller) this.#supply.retire(segment);
    // Where the tail tells the LSNs, an empty segment may be given up first and become the fresh one.
    if (tail?.segment.untilLsn === nextLsn) this.#supply.recycleNow();

    let rewrite = this.#plan(tail);
    let offset = BLOCKS_START;
    const active = this.#makeFresh(rewrite, segments, (end) => {
      offset = end;
    });
    if (active === undefined) {
      rewrite = this.#leastRewrite(tail);
      this.#gather(rewrite);
    } else {
      this.#group.clear();
      if (rewrite.replacesTail) this.#supply.retire(must(segments.pop(), 'the tail'));
      if (teller !== undefined) this.#supply.retire(teller);
    }
    if (rewrite.payloads.length > 0 && tail !== undefined) tail.segment.untilLsn = rewrite.firstLsn;
    if (active !== undefined) segments.push(active.segment);
    const durableLsn = active === undefined ? rewrite.firstLsn - 1 : nextLsn - 1;
    const report = this.#report(active === undefined ? 0 : nextLsn - rewrite.firstLsn);
    return {
      handles: this.#handles,
      quarantine: this.#quarantine,
      supply: this.#supply,
      group: this.#group,
      segments,
      active,
      offset,
      nextLsn,
      durableLsn,
      report,
    };
  }

  /** A journal that cannot be read whole is not gone on with: the key may be found again. */
  #checkKeys(): void {
    for (const segment of this.#survey.segments) needKey(segment, this.#options.sealer);
  }

  #plan(tail: Tail | undefined): Rewrite {
    const { nextLsn } = this.#survey;
    const { segmentBytes, sealer, log } = this.#options;
    if (tail === undefined) return this.#nothing();
    const isWhole =
      tail.damages.length === 0 && tail.scars === 0 && tail.segment.untilLsn === nextLsn;
    const all = isWhole ? this.#shortPayloads(tail) : undefined;
    const size = all === undefined ? 'large' : 'small';
    const action = decide(TAIL_ROWS, { ended: this.#isDoubtful(tail) ? 'crash' : 'clean', size });
    if (action === 'rewrite-all') {
      const payloads = must(all, 'a small tail was read');
      return { firstLsn: tail.segment.firstLsn, payloads, replacesTail: true };
    }
    const least = this.#leastRewrite(tail);
    const bytes = BLOCK_HEAD_BYTES + sizeOf(least.payloads);
    if (bytes + sealer.overheadBytes <= segmentBytes - BLOCKS_START) return least;
    log.warn('journal.block-too-large-to-rewrite', { bytes, segmentBytes });
    return this.#nothing();
  }

  /** All entries of the segment, where they are few; also unpacked, since all of it becomes one block. */
  #shortPayloads({ segment, endOffset }: Tail): Uint8Array[] | undefined {
    const bytesMax = this.#options.segmentBytes / SMALL_PART;
    if (endOffset - BLOCKS_START > bytesMax) return undefined;
    const payloads = this.#payloads(segment);
    return sizeOf(payloads) <= bytesMax ? payloads : undefined;
  }

  /** What must not be trusted before it is rewritten. */
  #leastRewrite(tail: Tail | undefined): Rewrite {
    if (tail === undefined || !this.#isDoubtful(tail)) return this.#nothing();
    const { firstLsn } = tail.lastBlock;
    const payloads = [this.#entries(tail.segment, tail.lastBlock)];
    return { firstLsn, payloads, replacesTail: firstLsn === tail.segment.firstLsn };
  }

  #nothing(): Rewrite {
    return { firstLsn: this.#survey.nextLsn, payloads: [], replacesTail: false };
  }

  /** Whether the last block may be in the page cache only: it is the end of a run that was not closed. */
  #isDoubtful(tail: Tail): boolean {
    const { firstLsn, count } = tail.lastBlock;
    return !tail.closed && count > 0 && firstLsn + count === this.#survey.nextLsn;
  }

  #payloads(segment: Segment): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    const walk = new SegmentWalk(this.#handles.reader(segment), segment, segment.firstLsn);
    for (let step = walk.next(); step.kind !== 'end'; step = walk.next()) {
      if (step.kind === 'block' && step.block.count > 0)
        payloads.push(this.#entries(segment, step.block));
    }
    return payloads;
  }

  #entries(segment: Segment, block: Block): Uint8Array {
    const entries = entriesOf(this.#options.sealer, segment, block);
    if (entries === undefined) throw sealBroken(segment, block.firstLsn);
    return entries;
  }

  /** The segment to go on in, with the rewritten entries durable in it; undefined where there is no room for one. */
  #makeFresh(
    rewrite: Rewrite,
    segments: readonly Segment[],
    endsAt: (offset: number) => void,
  ): Prepared | undefined {
    const { nextLsn } = this.#survey;
    const { firstLsn } = rewrite;
    const previous = segments.at(rewrite.replacesTail ? -2 : -1)?.number ?? 0;
    this.#gather(rewrite);
    let offset = BLOCKS_START;
    try {
      const fresh = this.#supply.makeFirst({ previous, baseLsn: firstLsn }, (place) => {
        if (this.#group.isEmpty) return undefined;
        const lsns = { firstLsn, count: nextLsn - firstLsn, packs: false };
        const { bytes, blockBytes } = this.#group.seal(
          this.#options.sealer,
          place,
          BLOCKS_START,
          lsns,
        );
        offset = BLOCKS_START + blockBytes;
        return bytes;
      });
      fresh.segment.untilLsn = nextLsn;
      fresh.segment.endOffset = offset;
      endsAt(offset);
      return fresh;
    } catch (error) {
      if (!(error instanceof HubError) || error.code === 'journal.poisoned') throw error;
      this.#options.log.warn('journal.opened-without-room', { reason: error.message });
      return undefined;
    }
  }

  #gather(rewrite: Rewrite): void {
    this.#group.clear();
    for (const payload of rewrite.payloads) this.#group.putPayload(payload);
  }

  #keepDamageAside(): void {
    const { files, dir } = this.#options;
    const { tail, lost, names } = this.#survey;
    const aside = new Map(names['set-aside'].map((name) => [numberOfName(name), `${dir}/${name}`]));
    for (const range of lost) {
      const path = aside.get(range.segment);
      aside.delete(range.segment);
      const kept =
        path === undefined
          ? this.#quarantine.keep(range, () => new Uint8Array(0))
          : this.#quarantine.move(range, path);
      if (kept !== undefined) this.#newlyQuarantined += 1;
    }
    for (const [segment, path] of aside)
      this.#quarantine.move({ segment, fromLsn: 0, toLsn: 0 }, path);
    for (const damage of tail?.damages ?? []) {
      const { path, number } = must(tail, 'damages have a tail').segment;
      const kept = this.#quarantine.keep({ segment: number, ...damage }, () =>
        readPart(files, path, damage),
      );
      if (kept !== undefined) this.#newlyQuarantined += 1;
    }
  }

  #removeTemporaries(): void {
    const { files, dir, log } = this.#options;
    const { remove, leave, 'use-and-say': half } = this.#survey.names;
    for (const name of remove) files.remove(`${dir}/${name}`);
    const strangers = leave.filter((name) => kindOfName(name) === 'other');
    if (strangers.length > 0) log.warn('journal.strange-files', { names: strangers.join(' ') });
    if (half.length > 0) log.warn('journal.header-copy-damaged', { names: half.join(' ') });
  }

  #report(rewrittenEntries: number): RecoveryReport {
    const { tail, segments, names } = this.#survey;
    return {
      segments: segments.length,
      crashed: tail !== undefined && !tail.closed,
      torn: tail?.torn === true,
      rewrittenEntries,
      newlyQuarantined: this.#newlyQuarantined,
      scars: (tail?.scars ?? 0) + names['use-and-say'].length,
    };
  }
}

/** What is wrong where nothing tells how far a journal went. */
export function endFault(dir: string, { blindEnds }: Survey): HubError | undefined {
  if (blindEnds.length === 0) return undefined;
  const names = blindEnds.join(', ');
  return new HubError('journal.cut', `${dir}: its end, ${names}, cannot be read`);
}

/** Bytes of a damaged part, as they are. */
export function readPart(
  files: Files,
  path: string,
  part: { readonly offset: number; readonly endOffset: number },
): Uint8Array {
  const file = files.open(path, 'read');
  const bytes = new Uint8Array(part.endOffset - part.offset);
  const count = readWhatCanBe(file, bytes, part.offset);
  file.close();
  return bytes.subarray(0, count);
}

function sizeOf(payloads: readonly Uint8Array[]): number {
  return payloads.reduce((sum, { length }) => sum + length, 0);
}
