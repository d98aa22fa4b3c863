/** What people ask of records: how they stand, how they came to it, what was in conflict, what may be undone. */
import { guarded, type Steps } from '../../base/steps.ts';
import { ASSET_FIELD } from '../../merge/asset/asset-version.ts';
import type { DocState } from '../../merge/doc/doc-state.ts';
import type { DocSizes } from '../../merge/doc/full-document.ts';
import type { DocChange } from '../../merge/doc/read-update.ts';
import type { OpId } from '../../merge/op-id.ts';
import type { OpStamp } from '../../merge/op-stamps.ts';
import type { Counter, FieldWrite, RecordWrite } from '../../merge/record.ts';
import { drawHorizon } from '../../merge/record/draw-horizon.ts';
import type { Base } from '../../merge/record/horizon.ts';
import { Pieces, type RecordSize } from '../../merge/record/record-size.ts';
import { baseOf } from '../../merge/record/standing.ts';
import { isUndone } from '../../merge/record/undone.ts';
import type { Kind } from '../../model/op.ts';
import { type Lane, laneOf } from '../../model/origin.ts';
import { NO_RANGES, type RangesByLane } from '../../model/seq-ranges.ts';
import { seqIn } from '../../model/version-vector.ts';
import { notKept, planUndo, type UndoPlan, type UndoRequest } from '../../merge/undo.ts';
import type { ConflictBook, KeysAsked, MergeCounts, MetConflict } from './conflict-book.ts';
import type { BootTimes, OpTime } from '../times/boot-times.ts';
import type { SeenOps } from '../folding/seen-ops.ts';
import type { StateTables } from '../state/state-tables.ts';
import type { DocStep } from './doc-log.ts';
import type { HistoryLimits } from './writes/crowding.ts';
import type { StampRanges } from './writes/stamp-ranges.ts';

export interface RecordView {
  readonly fields: ReadonlyMap<string, FieldWrite>;
  readonly counters: ReadonlyMap<string, Counter>;
  /** The version of its asset that stands: the field with the empty name. */
  readonly asset: FieldWrite | undefined;
}

export interface HistoryEntry extends RecordWrite {
  readonly isUndone: boolean;
}

const ALL: KeysAsked = { prefix: '' };

interface PlannedUndo {
  /** Of the record that the undo goes to; undefined where it is refused. */
  readonly key: string | undefined;
  readonly plan: UndoPlan;
}

interface RecordParts {
  readonly tables: StateTables;
  readonly book: ConflictBook;
  readonly times: BootTimes;
  readonly stamps: StampRanges;
  readonly guard: Guard;
  /** Which ops have come here. */
  readonly seen: () => SeenOps;
}

/** Runs a query; a fault in it is the store's. */
export type Guard = <T>(query: () => T) => T;

export class Records {
  readonly #tables: StateTables;
  readonly #book: ConflictBook;
  readonly #guard: Guard;
  readonly #times: BootTimes;
  readonly #stamps: StampRanges;
  readonly #seen: RecordParts['seen'];

  constructor({ tables, book, times, stamps, guard, seen }: RecordParts) {
    this.#seen = seen;
    this.#stamps = stamps;
    this.#tables = tables;
    this.#times = times;
    this.#book = book;
    this.#guard = guard;
  }

  /** Living fields and counters, empty where there is no such record. */
  get(key: string): RecordView {
    return this.#guard(() => {
      const fields = this.#tables.record(key);
      const asset = fields.get(ASSET_FIELD);
      fields.delete(ASSET_FIELD);
      return { fields, asset, counters: this.#tables.countersOf(key) };
    });
  }

  /** The document of this key; undefined where there is none. */
  doc(key: string): DocState | undefined {
    return this.#guard(() => this.#tables.docTables.get(key));
  }

  /** Bytes that the document's state takes, or a little more; 0 where there is none. */
  docBytes(key: string): number {
    return this.#guard(() => this.#tables.docTables.bytesOf(key));
  }

  /** What it would take with the update; of a document that is here. */
  docSizesWith(key: string, change: DocChange): DocSizes {
    return this.#guard(() => this.#tables.docTables.sizesWith(key, change));
  }

  /** Versions of assets that stand, the newest first. */
  latestAssets(limit: number): (readonly [key: string, write: FieldWrite])[] {
    return this.#guard(() => this.#tables.latestAssets(limit));
  }

  /** Versions that name a content, standing or not. */
  versionsOf(sha256: Uint8Array, limit: number): (readonly [key: string, write: RecordWrite])[] {
    return this.#guard(() => this.#tables.writeTables.versionsOf(sha256, limit));
  }

  /** What the record would come to at most, if these came to what lives. */
  sizeWith(key: string, pieces: Pieces): RecordSize {
    return this.#guard(() => this.#tables.recordSizeWith(key, pieces));
  }

  /** All that the ops which are kept have written, and what horizons stand for, whether it lives or not. */
  everWritten(key: string): Pieces {
    return this.#guard(() => {
      const pieces = new Pieces();
      const ops = this.#tables.opsOf(key);
      for (const { kind, body } of ops.writesAbove(undefined)) pieces.putOp(kind, body);
      const { fields, counters } = baseOf(ops);
      for (const [name, { value }] of fields) pieces.putField(name, value.length);
      for (const name of counters.keys()) pieces.putCounter(name);
      return pieces;
    });
  }

  /** Keys of living records that begin with `prefix` and come after `after`, in byte order. */
  keys(prefix: string, after: string, limit: number): string[] {
    return this.#guard(() => this.#tables.recordKeys(prefix, after, limit));
  }

  /** The newest ops on the record, all by default, the earliest first. */
  history(key: string, limit = Number.MAX_SAFE_INTEGER): HistoryEntry[] {
    return this.#guard(() => {
      const ops = this.#tables.opsOf(key);
      return this.#tables.writeTables
        .newest(key, limit)
        .map((write) => ({ ...write, isUndone: isUndone(ops, write.order) }));
    });
  }

  /** An op as it is kept; undefined where it is not. */
  write(key: string, op: OpId): RecordWrite | undefined {
    return this.#guard(() => this.#tables.opsOf(key).writeOf(op));
  }

  /** Kinds of the ops that are kept on the record, in the order of their names here. */
  kindsOf(key: string, ids: readonly OpId[]): (Kind | undefined)[] {
    return this.#guard(() => {
      const ops = this.#tables.opsOf(key);
      return ids.map((id) => ops.writeOf(id)?.kind);
    });
  }

  /** Eight bytes over the stamps of the lane's ops on records from `from` to `to`. */
  stampsDigest(lane: Lane, from: number, to: number): Uint8Array {
    return this.#guard(() => this.#stamps.digest(lane, from, to));
  }

  /** Those stamps, as far as the ops are kept. */
  stamps(lane: Lane, from: number, to: number): OpStamp[] {
    return this.#guard(() => this.#stamps.list(lane, from, to));
  }

  /** Versions of the record's asset that are kept, the greatest first. */
  versions(key: string): RecordWrite[] {
    return this.#guard(() => [...this.#tables.opsOf(key).registerWrites(ASSET_FIELD)]);
  }

  /** What is known of the time of an op beside its HLC, where its maker's clock was not set. */
  timeOf(op: OpId): OpTime | undefined {
    return this.#guard(() => this.#times.timeOf(op));
  }

  /** What the record's horizons stand for. */
  base(key: string): Base {
    return this.#guard(() => baseOf(this.#tables.opsOf(key)));
  }

  /** Records that grew beyond a limit. */
  crowded(limits: HistoryLimits): Steps<(readonly [key: string, keep: number])[]> {
    return guarded(this.#tables.writeTables.crowded(limits), this.#guard);
  }

  /**
   * Body of a horizon that leaves so many ops as they are; undefined where none would spare anything, or where
   * meanwhile one of its ops was taken away or brought back. Others may fold between two steps. It passes gaps of lanes in `passes`.
   */
  *drawHorizon(
    key: string,
    keep: number,
    passes: RangesByLane = NO_RANGES,
  ): Steps<Uint8Array | undefined> {
    const [tables, vector] = [this.#tables, this.#seen().vector(passes)];
    const watch = tables.writeTables.watch(key);
    try {
      const drawing = this.#guard(() => ({
        ops: tables.opsOf(key),
        fields: [...tables.fieldNames(key)],
        tombstone: tables.tombstone(key),
        upTo: (lane: Lane) => seqIn(vector, lane),
        keep,
      }));
      const body = yield* guarded(drawHorizon(drawing), this.#guard);
      return watch.isDisturbed ? undefined : body;
    } finally {
      watch.end();
    }
  }

  /** The newest steps of those who wrote in the document of this key, the earliest first. */
  docSteps(key: string): DocStep[] {
    return this.#guard(() => this.#tables.docLog.steps(key));
  }

  /** Conflicts that were met, the newest first. */
  conflicts(includeClosed: boolean, limit: number, keys: KeysAsked = ALL): MetConflict[] {
    return this.#guard(() => this.#book.list(includeClosed, limit, keys));
  }

  /** Open conflicts of one record, those included in which both say the same; the newest first. */
  openConflicts(key: string, limit: number): MetConflict[] {
    return this.#guard(() => this.#book.openAt(key, limit));
  }

  counts(): MergeCounts {
    return this.#guard(() => this.#book.counts());
  }

  /** Plans an undo; the owner makes the op of it. */
  planUndo(request: UndoRequest): PlannedUndo {
    return this.#guard(() => {
      const key = this.#tables.writeTables.keyOfOp(request.target);
      if (key === undefined) {
        const { origin, class: opClass, seq } = request.target;
        const hasCome = this.#seen().has(laneOf(origin, opClass), seq);
        return { key: undefined, plan: notKept(hasCome) };
      }
      return { key, plan: planUndo(this.#tables.opsOf(key), request) };
    });
  }
}
