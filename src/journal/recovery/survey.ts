/**
 * Looks at the journal's folder and says what is there and what has to be done; changes nothing itself, so
 * `journal verify` uses it on a running hub's files too.
 *
 * Quick by what it does not read: of every segment the header and the first block (which gives the LSNs of the one
 * before), and only of the last that holds blocks every byte. Blocks in between are checked when they are read, and by the
 * scrub (scrub.ts) within minutes. A million ops open in the time that one segment takes.
 */
import { must } from '../../base/assert.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import { bytesEqual } from '../../base/bytes.ts';
import type { Files } from '../../platform/files/files.ts';
import { JOURNAL_FORMAT } from '../../versions.ts';
import { type Block, BlockReader } from '../block-reader.ts';
import {
  BLOCK_HEAD_BYTES,
  BLOCKS_START,
  type HeaderScan,
  type Lsn,
  scanBlockHead,
  scanHeader,
  type SegmentHeader,
} from '../format.ts';
import { kindOfName, numberOfName } from '../segments/names.ts';
import { decide, FILE_ROWS, type FileAction, type FileEvidence, LINK_ROWS } from './recovery.ts';
import { Segment, type SegmentHandles } from '../segments/segment.ts';
import { isShutByHand, isShutFor, readOrNot, readWhatCanBe } from './tolerant-read.ts';
import { type Damage, SegmentWalk } from './walk.ts';

/** LSNs that are gone with a whole file, or of which no bytes are left. */
interface LostRange {
  readonly segment: number;
  /** 0 where nothing tells. */
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
}

/** The last segment that holds blocks, read to its end. */
export interface Tail {
  readonly segment: Segment;
  readonly lastBlock: Block;
  readonly endOffset: number;
  readonly closed: boolean;
  readonly torn: boolean;
  readonly damages: readonly Damage[];
  readonly scars: number;
}

export interface Survey {
  /** All that hold blocks, oldest first; the tail is the last. */
  readonly segments: readonly Segment[];
  readonly tail: Tail | undefined;
  /** Segments whose content does not count: superseded, or prepared and not begun. */
  readonly vacant: readonly Segment[];
  /** Files by what the table says of them. */
  readonly names: Readonly<Record<FileAction, readonly string[]>>;
  readonly lost: readonly LostRange[];
  /** Segments behind all that can be read, of which nothing tells whether they hold blocks: the next LSN may be higher than is known. */
  readonly blindEnds: readonly string[];
  /** Every LSN below it was given, every one from it on is free. */
  readonly nextLsn: Lsn;
  /** Highest segment number that was ever given, 0 for none. */
  readonly lastNumber: number;
  /** Highest key epoch that a segment names, 0 for none. */
  readonly highestEpoch: number;
  readonly journalId: Uint8Array | undefined;
}

interface Candidate {
  readonly name: string;
  readonly scan: HeaderScan;
  readonly sizeBytes: number;
  /** Why it does not open. */
  readonly shut?: unknown;
  /** What stands where its first block would cannot be read. */
  readonly isBlind: boolean;
}

/** Throws `data.newer` where a newer hub wrote the journal, `data.unreadable` where somebody has shut its end. */
export function survey(files: Files, dir: string, handles: SegmentHandles): Survey {
  return new Surveyor(files, dir, handles).run();
}

class Surveyor {
  readonly #files: Files;
  readonly #dir: string;
  readonly #handles: SegmentHandles;
  readonly #lost: LostRange[] = [];

  constructor(files: Files, dir: string, handles: SegmentHandles) {
    this.#files = files;
    this.#dir = dir;
    this.#handles = handles;
  }

  run(): Survey {
    const names = this.#files.list(this.#dir);
    const candidates = names.flatMap((name) => this.#candidate(name));
    const newest = candidates.findLast(({ scan }) => scan.kind === 'header');
    const journalId = newest?.scan.kind === 'header' ? newest.scan.header.journalId : undefined;
    const byAction = this.#sort(names, candidates, journalId);
    const usable = candidates.flatMap((candidate) => {
      const used =
        byAction.use.includes(candidate.name) || byAction['use-and-say'].includes(candidate.name);
      return used && candidate.scan.kind === 'header'
        ? [this.#segment(candidate, candidate.scan.header)]
        : [];
    });
    const { linked, superseded, missingBefore } = link(usable);
    const { segments, empties } = this.#range(linked, missingBefore);
    const floor = Math.max(1, ...linked.map((segment) => segment.header.baseLsn));
    const tail = this.#tail(segments.at(-1), floor);
    const blindEnds = this.#blindEnds(candidates, linked, tail);
    for (const name of blindEnds) {
      if (!byAction['set-aside'].includes(name)) byAction['set-aside'].push(name);
    }
    const numbers = names
      .filter((name) => kindOfName(name) === 'segment')
      .map((name) => numberOfName(name));
    const nextLsn = Math.max(floor, tail?.segment.untilLsn ?? 0);
    const setAside = candidates.filter(({ name }) => byAction['set-aside'].includes(name));
    return {
      segments,
      tail,
      vacant: [...superseded, ...empties].filter(
        ({ path }) => !blindEnds.some((name) => path.endsWith(name)),
      ),
      names: byAction,
      lost: this.#lost,
      blindEnds,
      nextLsn: this.#nameSetAside(setAside, segments, nextLsn),
      lastNumber: Math.max(0, ...numbers),
      highestEpoch: Math.max(0, ...usable.map((segment) => segment.header.epoch)),
      journalId,
    };
  }

  /** Every segment by name; nothing where it went away meanwhile, as a running hub's do. */
  #candidate(name: string): Candidate[] {
    if (kindOfName(name) !== 'segment') return [];
    try {
      const file = this.#files.open(`${this.#dir}/${name}`, 'read');
      try {
        const start = new Uint8Array(BLOCKS_START);
        const scan = scanHeader(start.subarray(0, readWhatCanBe(file, start, 0)));
        const head = new Uint8Array(BLOCK_HEAD_BYTES);
        const isBlind = readOrNot(file, head, BLOCKS_START) !== BLOCK_HEAD_BYTES;
        return [{ name, scan, sizeBytes: file.size(), isBlind }];
      } finally {
        file.close();
      }
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      if (!isShutFor(error)) throw this.#unreadable(name, error);
      return [{ name, scan: { kind: 'none' }, sizeBytes: 0, shut: error, isBlind: true }];
    }
  }

  #unreadable(name: string, error: unknown): HubError {
    const message = `cannot read ${this.#dir}/${name}: ${messageOf(error)}`;
    return new HubError('data.unreadable', message, error);
  }

  #sort(
    names: readonly string[],
    candidates: readonly Candidate[],
    journalId: Uint8Array | undefined,
  ): Record<FileAction, string[]> {
    const byAction: Record<FileAction, string[]> = {
      use: [],
      'use-and-say': [],
      refuse: [],
      'set-aside': [],
      reuse: [],
      remove: [],
      leave: [],
    };
    for (const name of names) {
      const candidate = candidates.find((each) => each.name === name);
      const kind = kindOfName(name);
      if (kind === 'segment' && candidate === undefined) continue;
      const evidence = { name: kind, header: headerEvidence(candidate, journalId) };
      byAction[decide(FILE_ROWS, evidence)].push(name);
    }
    const refused = candidates.find(({ name }) => byAction.refuse.includes(name));
    if (refused?.scan.kind === 'newer') {
      const versions = `format ${refused.scan.version}, this is ${JOURNAL_FORMAT}`;
      throw new HubError('data.newer', `${this.#dir}/${refused.name} has ${versions}`);
    }
    return byAction;
  }

  #segment(candidate: Candidate, header: SegmentHeader): Segment {
    return new Segment({
      path: `${this.#dir}/${candidate.name}`,
      header,
      sizeBytes: candidate.sizeBytes,
      firstLsn: header.baseLsn,
      untilLsn: header.baseLsn,
      endOffset: candidate.sizeBytes,
    });
  }

  /** A later one that follows on what came before it says that there was none in between. */
  #blindEnds(
    candidates: readonly Candidate[],
    linked: readonly Segment[],
    tail: Tail | undefined,
  ): string[] {
    const ends = candidates.filter(({ name, isBlind }) => {
      const number = numberOfName(name);
      if (!isBlind || number <= (tail?.segment.number ?? 0)) return false;
      const later = linked.find((segment) => segment.number > number);
      return later === undefined || later.header.previous >= number;
    });
    for (const { name, shut } of ends) if (isShutByHand(shut)) throw this.#unreadable(name, shut);
    return ends.map(({ name }) => name);
  }

  /** Finds which LSNs each segment holds. */
  #range(
    linked: readonly Segment[],
    missingBefore: ReadonlySet<Segment>,
  ): { segments: Segment[]; empties: Segment[] } {
    const firstBlocks = linked.map((segment) => this.#firstBlock(segment));
    const lastIndex = firstBlocks.findLastIndex((block) => block !== undefined);
    const segments = linked.slice(0, lastIndex + 1);
    for (const [index, segment] of segments.entries()) {
      const block = firstBlocks[index];
      const previous = segments[index - 1];
      if (block?.offset === BLOCKS_START) segment.firstLsn = block.firstLsn;
      else if (previous !== undefined) segment.firstLsn = this.#endOf(previous);
      if (previous === undefined) continue;
      previous.untilLsn = segment.firstLsn;
      if (missingBefore.has(segment)) this.#missing(previous, segment);
    }
    return { segments, empties: linked.slice(lastIndex + 1) };
  }

  #firstBlock(segment: Segment): Block | undefined {
    const reader = this.#handles.reader(segment);
    const atStart = reader.read(BLOCKS_START, segment.sizeBytes);
    if (atStart !== undefined && atStart.firstLsn >= segment.header.baseLsn) return atStart;
    return reader.find({
      fromOffset: BLOCKS_START,
      endOffset: segment.sizeBytes,
      leastLsn: segment.header.baseLsn,
      untilLsn: Number.MAX_SAFE_INTEGER,
    });
  }

  /** The LSN behind the last block of a segment that nothing else bounds. */
  #endOf(segment: Segment): Lsn {
    const bounds = {
      sizeBytes: segment.sizeBytes,
      endOffset: segment.sizeBytes,
      untilLsn: 0,
      isOpen: true,
    };
    const walk = new SegmentWalk(this.#handles.reader(segment), bounds, segment.firstLsn);
    while (walk.next().kind !== 'end');
    return walk.nextLsn;
  }

  #missing(previous: Segment, segment: Segment): void {
    const fromLsn = this.#endOf(previous);
    if (fromLsn >= segment.firstLsn) return; // It held nothing that counts.
    previous.untilLsn = fromLsn;
    const range = { segment: segment.header.previous, fromLsn, toLsn: segment.firstLsn - 1 };
    this.#lost.push(range);
  }

  #tail(segment: Segment | undefined, floor: Lsn): Tail | undefined {
    if (segment === undefined) return undefined;
    const bounds = {
      sizeBytes: segment.sizeBytes,
      endOffset: segment.sizeBytes,
      untilLsn: floor,
      isOpen: true,
    };
    const walk = new SegmentWalk(this.#handles.reader(segment), bounds, segment.firstLsn);
    const damages: Damage[] = [];
    let lastBlock: Block | undefined;
    let scars = 0;
    for (;;) {
      const step = walk.next();
      if (step.kind === 'damage') damages.push(step.damage);
      if (step.kind === 'scar') scars += 1;
      if (step.kind === 'block') {
        segment.mark(step.block);
        if (step.block.count > 0) lastBlock = step.block;
      }
      if (step.kind !== 'end') continue;
      segment.untilLsn = walk.nextLsn;
      segment.endOffset = walk.offset;
      const { offset: endOffset, closed } = walk;
      const block = must(lastBlock ?? this.#firstBlock(segment), 'the tail holds a block');
      return { segment, lastBlock: block, endOffset, closed, torn: step.torn, damages, scars };
    }
  }

  /**
   * Says what is lost with segments whose header cannot be read. Their blocks still carry a tag, and tell how far they
   * went; so LSNs never go back, even where it was the newest. Of an oldest one that tells nothing, only where the next begins
   * is known. Returns the next LSN.
   */
  #nameSetAside(setAside: readonly Candidate[], segments: readonly Segment[], nextLsn: Lsn): Lsn {
    const oldest = segments[0];
    const newest = segments.at(-1);
    let beyond = nextLsn;
    for (const { name, shut } of setAside) {
      const segment = numberOfName(name);
      const held = shut === undefined ? this.#lsnsWithoutHeader(`${this.#dir}/${name}`) : undefined;
      if (held === undefined) {
        if (segment !== oldest?.header.previous || oldest.firstLsn === 1) continue;
        this.#lost.push({ segment, fromLsn: 0, toLsn: oldest.firstLsn - 1 });
      } else if (newest === undefined || segment > newest.number) {
        const fromLsn = Math.max(newest === undefined ? held.firstLsn : beyond, 1);
        if (held.untilLsn > fromLsn)
          this.#lost.push({ segment, fromLsn, toLsn: held.untilLsn - 1 });
        beyond = Math.max(beyond, held.untilLsn);
      } else if (oldest !== undefined && segment < oldest.number) {
        const toLsn = Math.min(held.untilLsn, oldest.firstLsn) - 1;
        if (toLsn >= held.firstLsn) this.#lost.push({ segment, fromLsn: held.firstLsn, toLsn });
      } // Else its LSNs are the gap between its neighbours.
    }
    return beyond;
  }

  #lsnsWithoutHeader(path: string): { firstLsn: Lsn; untilLsn: Lsn } | undefined {
    const file = this.#files.open(path, 'read');
    const sizeBytes = file.size();
    const start = new Uint8Array(BLOCK_HEAD_BYTES);
    const view = new DataView(start.buffer, 0, readWhatCanBe(file, start, BLOCKS_START));
    const head = scanBlockHead(view, 0, sizeBytes);
    let held: { firstLsn: Lsn; untilLsn: Lsn } | undefined;
    if (head !== undefined) {
      const reader = new BlockReader((into, offset) => readWhatCanBe(file, into, offset), head.tag);
      const bounds = { sizeBytes, endOffset: sizeBytes, untilLsn: 0, isOpen: true };
      const walk = new SegmentWalk(reader, bounds, head.firstLsn);
      while (walk.next().kind !== 'end');
      held = { firstLsn: head.firstLsn, untilLsn: walk.nextLsn };
    }
    file.close();
    return held;
  }
}

function headerEvidence(
  candidate: Candidate | undefined,
  journalId: Uint8Array | undefined,
): FileEvidence['header'] {
  if (candidate === undefined) return 'none';
  const { scan, name } = candidate;
  if (scan.kind !== 'header') return scan.kind;
  const isOurs = journalId !== undefined && bytesEqual(scan.header.journalId, journalId);
  if (!isOurs || scan.header.segment !== numberOfName(name)) return 'foreign';
  return scan.copies === 2 ? 'whole' : 'half';
}

/** Follows the headers from the newest segment to the oldest; returns them oldest first. */
function link(segments: readonly Segment[]): {
  linked: Segment[];
  superseded: Segment[];
  missingBefore: Set<Segment>;
} {
  const linked: Segment[] = [];
  const superseded: Segment[] = [];
  const missingBefore = new Set<Segment>();
  for (const segment of segments.toReversed()) {
    const later = linked.at(-1);
    if (later === undefined) {
      linked.push(segment);
      continue;
    }
    const difference = segment.number - later.header.previous;
    const older = difference > 0 ? 'above' : difference === 0 ? 'equal' : 'below';
    const action = decide(LINK_ROWS, { older });
    if (action === 'superseded') {
      superseded.push(segment);
      continue;
    }
    if (action === 'missing') missingBefore.add(later);
    linked.push(segment);
  }
  return { linked: linked.toReversed(), superseded, missingBefore };
}
