/**
 * The audit log of a running hub: what happens to ops is gathered in ranges and written in groups, at most once a minute,
 * so that an op costs no write of its own. The first group after a rest is written within seconds.
 *
 * Receipt and merge are taken from the journal in its order; after a crash they are written again from where the last line
 * ends. A failing disk ends a group, counted and told once: the journal has the ops, this is only their story.
 */
import type { Cancel, Clock, Timers } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { isoTime } from '../base/iso-time.ts';
import type { Log } from '../base/log.ts';
import { type LaneRange, RangeSet } from '../batch/ranges.ts';
import { CLASS_NAMES, CLASSES, type OpClass } from '../model/class.ts';
import type { Op, Stamp } from '../model/op.ts';
import { AuditFiles, newestLine } from './audit-files.ts';
import type { AuditEvent, AuditLine, AuditRange, Common } from './audit-line.ts';
import type { Files } from '../platform/files/files.ts';

interface AuditTrailOptions {
  readonly files: Files;
  readonly dir: string;
  readonly filesMax: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Called before what has gathered is written, while nothing is being folded: the last moment to tell of it. */
  readonly beforeGroup?: () => void;
}

/** A batch as the uplink knows it. */
export interface AuditedBatch {
  readonly id: string;
  readonly class: OpClass;
  readonly ranges: readonly LaneRange[];
  readonly fromLsn: number;
  readonly throughLsn: number;
  readonly ops: number;
}

/** Whose batch it is, and how old its ops are, by their stamps; told at a region. */
interface BatchSource {
  readonly site: string;
  readonly hub: string;
  readonly oldestMs: number;
  readonly newestMs: number;
}

interface Received {
  readonly ranges: RangeSet;
  readonly firstLsn: number;
  lastLsn: number;
  firstMs: number;
  lastMs: number;
  ops: number;
}

/** Between groups, and after the first event behind a rest. */
const GROUP_MS = 60_000;
const FIRST_MS = 2_000;
/** Ranges of a line, and lines that wait: beyond, a group is written early. */
const RANGES_MAX = 128;
const LINES_MAX = 500;
const OPS_MAX = 100_000;

export class AuditTrail {
  readonly #options: AuditTrailOptions;
  readonly #files: AuditFiles;
  readonly #received = new Map<OpClass, Received>();
  /** Undone and conflict: what follows from entries that are merged. */
  readonly #withMerge: AuditLine[] = [];
  readonly #lines: AuditLine[] = [];
  #merged: { readonly common: Common; readonly lsns: [number, number] } | undefined;
  #seenLsn: number;
  #cancel: Cancel | undefined;
  #writtenMs = -Infinity;
  #lost = 0;
  /** What comes later is in the journal, and told at the next start. */
  #isClosed = false;

  private constructor(options: AuditTrailOptions) {
    const { files, dir, filesMax } = options;
    this.#options = options;
    const merged = newestLine(files, dir, ({ event }) => event === 'merged');
    this.#seenLsn = merged?.event === 'merged' ? merged.lsns[1] : 0;
    this.#files = AuditFiles.open(files, dir, filesMax);
  }

  static open(options: AuditTrailOptions): AuditTrail {
    return new AuditTrail(options);
  }

  /** Everything at or below was taken already. */
  get seenLsn(): number {
    return this.#seenLsn;
  }

  /** The op at `lsn` was accepted; in the order of the journal. */
  received(
    lsn: number,
    { origin, class: opClass, seq }: Pick<Op, 'origin' | 'class' | 'seq'>,
    { hlc }: Pick<Stamp, 'hlc'>,
  ): void {
    if (this.#isClosed) return;
    const known = this.#received.get(opClass);
    const into = known ?? {
      ranges: new RangeSet(),
      firstLsn: lsn,
      lastLsn: lsn,
      firstMs: hlc.ms,
      lastMs: hlc.ms,
      ops: 0,
    };
    if (known === undefined) this.#received.set(opClass, into);
    into.ranges.add(origin, opClass, seq);
    into.lastLsn = lsn;
    into.firstMs = Math.min(into.firstMs, hlc.ms);
    into.lastMs = Math.max(into.lastMs, hlc.ms);
    into.ops += 1;
    if (into.ops >= OPS_MAX) this.flush();
  }

  /** The entry at `lsn` is folded; in the order of the journal. */
  merged(lsn: number): void {
    if (this.#isClosed) return;
    if (this.#merged === undefined) this.#merged = { common: this.#common(), lsns: [lsn, lsn] };
    else this.#merged.lsns[1] = lsn;
    this.#seenLsn = lsn;
    this.#soon();
  }

  batched(batch: AuditedBatch): void {
    this.#note(this.#lines, aboutBatch('batched', batch));
  }

  receipted(batch: AuditedBatch): void {
    this.#note(this.#lines, aboutBatch('receipted', batch));
  }

  /** `source` at a region. */
  refused(batch: AuditedBatch, reason: string, source?: Pick<BatchSource, 'site' | 'hub'>): void {
    const of = source && { site: source.site, hub: source.hub };
    const lines = aboutBatch('receipted', batch);
    const refused = lines.map((line) => ({ ...line, event: 'refused' as const, reason, ...of }));
    this.#note(this.#lines, refused);
  }

  /** `of`: whose data they are, at a region. */
  hindered(reason: string, of?: Pick<BatchSource, 'site' | 'hub'>): void {
    this.#note(this.#lines, [{ event: 'hindered', reason, ...of }]);
  }

  /** At a region: a batch came whole and is stored under a receipt. */
  stored(batch: AuditedBatch, { site, hub, oldestMs, newestMs }: BatchSource): void {
    const times = { firstAt: isoTime(oldestMs), lastAt: isoTime(newestMs) };
    const lines = aboutBatch('receipted', batch).map((line) => ({ ...line, site, hub }));
    const received = lines.map((line) => ({ ...line, event: 'received' as const, ...times }));
    this.#note(this.#lines, [...received, ...lines]);
  }

  undone(op: string, by: string): void {
    this.#note(this.#withMerge, [{ event: 'undone', op, by }]);
  }

  conflict(found: Omit<Extract<AuditEvent, { event: 'conflict' }>, 'event'>): void {
    this.#note(this.#withMerge, [{ event: 'conflict', ...found }]);
  }

  pruned(firstLsn: number, throughLsn: number): void {
    this.#note(this.#lines, [{ event: 'pruned', lsns: [firstLsn, throughLsn] }]);
  }

  /** Writes what has gathered. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const { clock, log } = this.#options;
    const merged: AuditLine[] =
      this.#merged === undefined
        ? []
        : [{ ...this.#merged.common, event: 'merged', lsns: this.#merged.lsns }];
    // A crash that tears the group before the merge has all that goes with it told again.
    const withMerge = this.#withMerge.splice(0);
    const lines = [...this.#takeReceived(), ...withMerge, ...merged, ...this.#lines.splice(0)];
    this.#merged = undefined;
    this.#writtenMs = clock.monotonicMs();
    try {
      this.#files.append(lines);
      this.#lost = 0;
    } catch (error) {
      if (this.#lost === 0) log.warn('audit.unwritten', { reason: messageOf(error) });
      this.#lost += lines.length;
    }
  }

  close(): void {
    this.#writeGroup();
    this.#isClosed = true;
    this.#files.close();
  }

  #note(into: AuditLine[], events: readonly (AuditEvent & Partial<Common>)[]): void {
    if (this.#isClosed) return;
    const common = this.#common();
    into.push(...events.map((event) => ({ ...common, ...event })));
    if (into.length >= LINES_MAX) this.flush();
    else this.#soon();
  }

  #soon(): void {
    if (this.#cancel !== undefined) return;
    const { clock, timers } = this.#options;
    const restedMs = clock.monotonicMs() - this.#writtenMs;
    const waitMs = Math.max(FIRST_MS, GROUP_MS - restedMs);
    this.#cancel = timers.after(waitMs, () => this.#writeGroup());
  }

  #writeGroup(): void {
    this.#options.beforeGroup?.();
    this.flush();
  }

  #common(): Common {
    const { clock } = this.#options;
    return { at: isoTime(clock.wallMs()), clock: clock.quality() };
  }

  #takeReceived(): AuditLine[] {
    const { clock } = this.#common();
    const lines = CLASSES.flatMap((opClass) => {
      const received = this.#received.get(opClass);
      if (received === undefined) return [];
      const { ranges, firstLsn, lastLsn, ops, firstMs, lastMs } = received;
      const times = { firstAt: isoTime(firstMs), lastAt: isoTime(lastMs) };
      const about = { class: CLASS_NAMES[opClass], lsns: [firstLsn, lastLsn] as const };
      return inPieces(ranges.list(), ops).map((piece): AuditLine => {
        return { at: times.firstAt, clock, event: 'received', ...about, ...piece, ...times };
      });
    });
    this.#received.clear();
    return lines;
  }
}

function aboutBatch(
  event: 'batched' | 'receipted',
  { id, class: opClass, ranges, fromLsn, throughLsn, ops }: AuditedBatch,
): Extract<AuditEvent, { event: 'batched' | 'receipted' }>[] {
  const about = { batch: id, class: CLASS_NAMES[opClass], lsns: [fromLsn, throughLsn] as const };
  return inPieces(ranges, ops).map((piece) => ({ event, ...about, ...piece }));
}

/** Ranges in lines of a bounded length; the ops of each are counted. */
function inPieces(
  ranges: readonly LaneRange[],
  ops: number,
): { readonly ranges: readonly AuditRange[]; readonly ops: number }[] {
  const rows = ranges.map(({ origin, from, to }): AuditRange => [origin, from, to]);
  if (rows.length <= RANGES_MAX) return [{ ranges: rows, ops }];
  const pieces: { ranges: readonly AuditRange[]; ops: number }[] = [];
  for (let at = 0; at < rows.length; at += RANGES_MAX) {
    const part = rows.slice(at, at + RANGES_MAX);
    pieces.push({ ranges: part, ops: part.reduce((sum, [, from, to]) => sum + to - from + 1, 0) });
  }
  return pieces;
}
