/**
 * One device's walk over what it lacks of the state: the latest events in its scope, then documents, then the ops on
 * records. By keys for who begins, with a position to go on from; by origins for who knows most of it, which touches
 * nothing but what is new. What changes meanwhile comes with the tail of the journal, which begins where the walk did.
 */
import { compareBytes, utf8 } from '../base/bytes.ts';
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import type { OpId } from '../merge/op-id.ts';
import type { StateItem } from '../merge/state/state-item.ts';
import {
  bytesOfOrigin,
  type Lane,
  type Origin,
  originOfBytes,
  splitLane,
} from '../model/origin.ts';
import {
  firstBeside,
  joinRanges,
  NO_RANGES,
  type RangesByLane,
  type SeqRange,
  splitRanges,
} from '../model/seq-ranges.ts';
import { seqIn, type VersionVector } from '../model/version-vector.ts';
import type { KeyRange } from '../protocol/scope.ts';
import { readVector, writeVector } from '../protocol/vector.ts';
import { encodeBeyond, isHeld, rangesHeld } from '../protocol/beyond.ts';

export interface StatePiece {
  readonly items: readonly StateItem[];
  /** Where to go on; undefined where there is no more. */
  readonly next: Uint8Array | undefined;
}

/** The folded state; another one after it had to be begun anew. */
export interface StateSource {
  /** What is folded: of each lane without a gap, with gaps, and of the journal. */
  begin(): {
    readonly vector: VersionVector;
    readonly highest: VersionVector;
    readonly lsn: number;
  };
  /** What is folded of the lane. */
  rangesOf(lane: Lane): readonly SeqRange[];
  /** LSN of the last op that came after later ones of its lane: before it, nobody has all that `rangesOf` says. */
  readonly filledLsn: number;
  /** LSN at which the state of another hub was taken over last: nobody can follow across it. */
  readonly joinedLsn: number;
  events(range: KeyRange, position: Uint8Array | undefined, rowsMax: number): StatePiece;
  docs(range: KeyRange, position: Uint8Array | undefined, rowsMax: number): StatePiece;
  writes(range: KeyRange, position: Uint8Array | undefined, rowsMax: number): StatePiece;
  writesOf(
    origin: Origin,
    afterSeq: number,
    position: Uint8Array | undefined,
    rowsMax: number,
  ): StatePiece;
  /** The op as it counts now; undefined where it is not kept one by one. */
  writeItem(op: OpId): StateItem | undefined;
  /** Position behind an item. */
  behind(item: StateItem, by: 'keys' | 'origins'): Uint8Array;
  /** Of a position in a walk by origins: all ops of the origin with lower numbers lie before it. */
  seqAt(position: Uint8Array): number;
}

/** Where a walk by keys stands, and what it leads to. */
interface WalkMark {
  readonly hub: Origin;
  readonly lsn: number;
  readonly phase: 'events' | 'docs' | 'records';
  readonly position: Uint8Array;
  readonly target: VersionVector;
}

interface WalkOptions {
  readonly source: StateSource;
  readonly hub: Origin;
  readonly ranges: readonly KeyRange[];
  /** What the device has, and what behind gaps. */
  readonly vector: VersionVector;
  readonly beyond?: RangesByLane;
  readonly mark?: WalkMark | undefined;
}

type Phase = 'events' | 'docs' | 'records' | 'origins' | 'done';

const ROWS = 128;
/** A document may be as large as a message. */
const DOC_ROWS = 4;
const PHASES = ['events', 'docs', 'records'] as const;

export class StateWalk {
  readonly source: StateSource;
  /** What the device has at the end. */
  readonly target: VersionVector;
  /** The same of lanes with a gap here or there, all of it. */
  readonly gapped: RangesByLane;
  /** The journal goes on behind this. */
  readonly lsn: number;
  readonly #hub: Origin;
  readonly #ranges: readonly KeyRange[];
  readonly #vector: VersionVector;
  readonly #beyond: RangesByLane;
  /** Lanes of which all that is here is there, too. */
  readonly #quiet: ReadonlySet<Lane>;
  /** Origins with news, and from which seq on. */
  readonly #origins: readonly (readonly [Origin, number])[];
  readonly #byKeys: boolean;
  #phase: Phase = 'events';
  #index = 0;
  #position: Uint8Array | undefined;

  constructor({ source, hub, ranges, vector, beyond = NO_RANGES, mark }: WalkOptions) {
    const { vector: now, highest, lsn } = source.begin();
    this.source = source;
    this.#hub = hub;
    this.#ranges = ranges;
    this.#vector = vector;
    this.#beyond = beyond;
    this.#byKeys = (vector.size === 0 && beyond.size === 0) || mark !== undefined;
    const goesOn = mark !== undefined && mark.hub === hub && mark.lsn <= lsn;
    this.lsn = goesOn ? mark.lsn : lsn;
    const { origins, quiet } = newsIn(highest, source, { vector, beyond });
    this.#origins = origins;
    this.#quiet = quiet;
    // Who goes on is told at the next pull what is behind gaps: what it was to have then is not known any more.
    this.gapped = goesOn ? new Map() : this.#gapped(now, highest);
    this.target = goesOn ? mark.target : targetOf(now, this.gapped);
    if (goesOn) this.#goTo(mark);
    else if (this.#origins.length === 0) this.#phase = 'done';
  }

  /** Lanes that it holds in memory. */
  get size(): number {
    return this.#vector.size;
  }

  get isDone(): boolean {
    return this.#phase === 'done';
  }

  /** Lanes in which the device is further when it has all of this. */
  lanes(): VersionVector {
    return new Map([...this.target].filter(([lane, seq]) => seq > seqIn(this.#vector, lane)));
  }

  /** The same as far as it has come: who walks by origins has all that was before its place, and need not begin anew. */
  reached(): VersionVector {
    if (this.#phase !== 'origins') return new Map();
    const reached = new Map<Lane, number>();
    const before = new Map(
      this.#origins.slice(0, this.#index).map(([origin]) => [origin, Infinity]),
    );
    const [current] = this.#origins[this.#index] ?? [];
    if (current !== undefined && this.#position !== undefined) {
      before.set(current, this.source.seqAt(this.#position) - 1);
    }
    for (const [lane, seq] of this.lanes()) {
      const upTo = Math.min(seq, before.get(splitLane(lane).origin) ?? 0);
      // What is behind a gap is told at the end.
      if (!this.gapped.has(lane) && upTo > seqIn(this.#vector, lane)) reached.set(lane, upTo);
    }
    return reached;
  }

  /** Gives some items to `take` until it says false; the rest comes with the next call. */
  step(take: (item: StateItem) => boolean): void {
    const piece = this.#read();
    for (const item of piece.items) {
      const isWanted = !this.#isKnown(item) && this.#isInRanges(item);
      if (!isWanted || take(item)) continue;
      this.#position = this.source.behind(item, this.#phase === 'origins' ? 'origins' : 'keys');
      return;
    }
    this.#position = piece.next;
    if (piece.next === undefined) this.#advance();
  }

  /** Where to go on after a break; where the rest is too little to bother, what the device has shown. */
  mark(): Uint8Array | undefined {
    if (!this.#byKeys || this.#phase === 'done' || this.#phase === 'origins') {
      return encodeBeyond(this.#beyond);
    }
    const position = this.#position ?? this.#ranges[this.#index]?.from;
    if (position === undefined) return undefined;
    const writer = new CborWriter(64).array(5).bytes(bytesOfOrigin(this.#hub)).uint(this.lsn);
    writer.uint(PHASES.indexOf(this.#phase)).bytes(position);
    writeVector(writer, this.target);
    return writer.finish();
  }

  /** Lanes with a gap here, or of which the device has more than that. */
  #gapped(now: VersionVector, highest: VersionVector): RangesByLane {
    const lanes = new Set(this.#beyond.keys());
    for (const [lane, seq] of highest) if (seq > seqIn(now, lane)) lanes.add(lane);
    for (const [lane, seq] of this.#vector) if (seq > seqIn(now, lane)) lanes.add(lane);
    return new Map([...lanes].map((lane) => [lane, this.#heldAtEnd(lane)]));
  }

  #heldAtEnd(lane: Lane): SeqRange[] {
    const held = rangesHeld(this.#vector, this.#beyond, lane);
    return joinRanges(held, this.source.rangesOf(lane));
  }

  #read(): StatePiece {
    const range = this.#ranges[this.#index];
    const origin = this.#origins[this.#index];
    if (this.#phase === 'origins' && origin !== undefined) {
      return this.source.writesOf(...origin, this.#position, ROWS);
    }
    if (range === undefined || this.#phase === 'done') return { items: [], next: undefined };
    if (this.#phase === 'events') return this.source.events(range, this.#position, ROWS);
    if (this.#phase === 'docs') return this.source.docs(range, this.#position, DOC_ROWS);
    return this.source.writes(range, this.#position, ROWS);
  }

  #advance(): void {
    this.#index += 1;
    const count = this.#phase === 'origins' ? this.#origins.length : this.#ranges.length;
    if (this.#index < count) return;
    this.#index = 0;
    if (this.#phase === 'events') this.#phase = 'docs';
    else if (this.#phase === 'docs') this.#phase = this.#byKeys ? 'records' : 'origins';
    else this.#phase = 'done';
  }

  #goTo({ phase, position }: WalkMark): void {
    this.#phase = phase;
    this.#index = this.#ranges.findIndex(({ to }) => compareBytes(position, to) < 0);
    if (this.#index < 0) {
      this.#index = this.#ranges.length - 1;
      this.#advance();
    } else this.#position = position;
  }

  #isKnown(item: StateItem): boolean {
    if (item.type === 'doc') {
      // Its heads do not say what came into a gap below them.
      const isNews = ([lane, seq]: readonly [Lane, number]): boolean =>
        seq > seqIn(this.#vector, lane) && !this.#quiet.has(lane);
      return ![...item.doc.heads].some((head) => isNews(head));
    }
    if (item.type !== 'event' && item.type !== 'write') return false;
    return isHeld(this.#vector, this.#beyond, item.write.order);
  }

  /** A walk by origins meets all keys. */
  #isInRanges(item: StateItem): boolean {
    if (this.#phase !== 'origins') return true;
    if (!('key' in item)) return false;
    const bytes = utf8(item.key);
    return this.#ranges.some(
      ({ from, to }) => compareBytes(bytes, from) >= 0 && compareBytes(bytes, to) < 0,
    );
  }
}

/** Reads what `mark` wrote and a device kept; undefined where it is none, which costs the device a longer way. */
export function readMark(bytes: Uint8Array): WalkMark | undefined {
  try {
    const reader = new CborReader(bytes);
    reader.expectArray(5);
    const hub = originOfBytes(reader.bytes());
    const lsn = reader.uint();
    const phase = PHASES[reader.uint()];
    const position = reader.bytes();
    const target = readVector(reader);
    const isWhole = hub !== undefined && phase !== undefined && reader.atEnd;
    return isWhole ? { hub, lsn, phase, position, target } : undefined;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/** What is here and not there: its origins, each with the seq before the first of it; and the lanes without any. */
function newsIn(
  highest: VersionVector,
  source: Pick<StateSource, 'rangesOf'>,
  { vector, beyond }: { readonly vector: VersionVector; readonly beyond: RangesByLane },
): { readonly origins: (readonly [Origin, number])[]; readonly quiet: ReadonlySet<Lane> } {
  const leastByOrigin = new Map<Origin, number>();
  const quiet = new Set<Lane>();
  for (const [lane, seq] of highest) {
    if (seq <= seqIn(vector, lane)) continue;
    // Behind a gap there may be news that the vector cannot tell of.
    const first = firstBeside(source.rangesOf(lane), rangesHeld(vector, beyond, lane));
    if (first === undefined) quiet.add(lane);
    else {
      const { origin } = splitLane(lane);
      leastByOrigin.set(origin, Math.min(first - 1, leastByOrigin.get(origin) ?? first - 1));
    }
  }
  return { origins: [...leastByOrigin], quiet };
}

function targetOf(now: VersionVector, gapped: RangesByLane): VersionVector {
  const target = new Map(now);
  for (const [lane, ranges] of gapped) {
    const { upTo } = splitRanges(ranges);
    if (upTo > 0) target.set(lane, upTo);
  }
  return target;
}
