/**
 * Gives hubs back what their cards have lost (BATCH.md §12): the very bytes that they had sent, found in the batches that
 * the site keeps, by the ranges that the manifests tell. A batch is opened only where something of it is asked for.
 *
 * It also says how far back it knows all that a hub has sent: what is not among it there was never sent, and a number
 * that nothing stands for need not be looked for any longer.
 */
import { addTo } from '../../base/groups.ts';
import { type BatchId } from '../../batch/batch-id.ts';
import { DOWN_CLASSES, type Heals } from '../../batch/wire/down-messages.ts';
import { DOWN_SEAL_LIMITS } from '../../batch/limits.ts';
import { headOf } from '../../batch/open-batch.ts';
import { type LaneRange, overlaps, sharedOps } from '../../batch/ranges.ts';
import type { OpClass } from '../../model/class.ts';
import type { StampedOp } from '../../model/op.ts';
import { type Lane, laneOf, type Origin } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import type { DownOps, DownQuery } from '../downlink/down-source.ts';
import type { Shelf, ShelvedBatch } from './shelf.ts';

interface HealQuery {
  readonly hub: Origin;
  /** In canonical form. */
  readonly lacks: readonly LaneRange[];
}

/** What the way down knows of healing. */
export interface HealSource {
  /** How many of the ops are here, and how far back everything of the hub is. */
  answer(query: HealQuery): Promise<Heals>;
  /** The next of them, of one class; undefined where none is here. */
  next(query: HealQuery): Promise<DownOps | undefined>;
  /** What follows on the hub's vector in lanes of others, and the hub had sent itself: it has lost their ends, and cannot know. */
  ends(query: DownQuery): Promise<LaneRange[]>;
}

/** What the manifest of a batch says. */
interface Facts {
  readonly previous: BatchId | undefined;
  readonly fromLsn: number;
  readonly throughLsn: number;
  readonly ranges: readonly LaneRange[];
}

type KnownBatch = ShelvedBatch & Facts;

/** Batches whose manifests are remembered. */
const FACTS_MAX = 4_096;
const SLICE_BATCHES = 32;

export class Healer implements HealSource {
  readonly #shelf: Shelf;
  readonly #pause: () => Promise<void>;
  readonly #facts = new Map<BatchId, Facts>();
  /** Opened last, while its ops go down in several batches. */
  #opened: { readonly id: BatchId; readonly ops: readonly StampedOp[] } | undefined;

  constructor(shelf: Shelf, pause: () => Promise<void>) {
    this.#shelf = shelf;
    this.#pause = pause;
  }

  async answer(query: HealQuery): Promise<Heals> {
    const batches = await this.#batchesFor(query);
    const own = batches.filter(({ hub }) => hub === query.hub);
    const froms = classesOf(query).map((it) => wholeFrom(own.filter((each) => each.class === it)));
    const held = batches.flatMap(({ ranges }) => ranges);
    return { ops: countOf(query.lacks, held), wholeFromLsn: Math.max(0, ...froms) };
  }

  async next(query: HealQuery): Promise<DownOps | undefined> {
    const batches = await this.#batchesFor(query);
    const useful = batches.filter(({ ranges }) => overlaps(ranges, query.lacks));
    for (const opClass of classesOf(query)) {
      const ops = await this.#lackedIn(
        useful.filter((batch) => batch.class === opClass),
        query.lacks,
      );
      if (ops.length > 0) return { class: opClass, ops };
    }
    this.#opened = undefined;
    return undefined;
  }

  /** As many as go down at once. */
  async #lackedIn(batches: readonly KnownBatch[], lacks: HealQuery['lacks']): Promise<StampedOp[]> {
    const { opsMax, opBytesMax } = DOWN_SEAL_LIMITS;
    const lacking = new Lacking(lacks);
    const ops: StampedOp[] = [];
    let bytes = 0;
    for (const batch of batches) {
      for (const stamped of await this.#open(batch)) {
        if (!lacking.takes(stamped.op)) continue;
        ops.push({ ...stamped, bytes: stamped.bytes.slice() });
        bytes += stamped.bytes.length;
        if (ops.length >= opsMax || bytes >= opBytesMax) return ops;
      }
    }
    return ops;
  }

  async ends({ hub, vector, classes }: DownQuery): Promise<LaneRange[]> {
    const batches = await this.#batchesOf(hub, classes);
    const own = batches.filter((batch) => batch.hub === hub).flatMap(({ ranges }) => ranges);
    const ends = new Map<Lane, LaneRange>();
    for (const range of own.toSorted((a, b) => a.from - b.from)) {
      const lane = laneOf(range.origin, range.class);
      const known = seqIn(vector, lane);
      const { to: last } = ends.get(lane) ?? { to: known };
      if (range.origin === hub || range.from > last + 1 || range.to <= last) continue;
      ends.set(lane, { ...range, from: known + 1 });
    }
    return [...ends.values()];
  }

  /** Of the hub itself; of what flows down, of others, too. */
  #batchesFor(query: HealQuery): Promise<KnownBatch[]> {
    return this.#batchesOf(query.hub, classesOf(query));
  }

  async #batchesOf(hub: Origin, classes: readonly OpClass[]): Promise<KnownBatch[]> {
    const listed = classes.length === 0 ? [] : await this.#shelf.list(classes);
    const known: KnownBatch[] = [];
    let read = 0;
    for (const batch of listed) {
      if (batch.hub !== hub && !DOWN_CLASSES.includes(batch.class)) continue;
      const isRemembered = this.#facts.has(batch.id);
      if (!isRemembered && ++read % SLICE_BATCHES === 0) await this.#pause();
      const facts = await this.#factsOf(batch);
      if (facts !== undefined) known.push({ ...batch, ...facts });
    }
    return known;
  }

  async #factsOf(batch: ShelvedBatch): Promise<Facts | undefined> {
    const known = this.#facts.get(batch.id);
    if (known !== undefined) return known;
    const head = await this.#shelf.head(batch);
    const manifest = head && headOf(head);
    if (manifest === undefined) return undefined;
    const { previous, fromLsn, throughLsn, ranges } = manifest;
    const facts = { previous, fromLsn, throughLsn, ranges };
    if (this.#facts.size >= FACTS_MAX) this.#facts.clear();
    this.#facts.set(batch.id, facts);
    return facts;
  }

  async #open(batch: ShelvedBatch): Promise<readonly StampedOp[]> {
    if (this.#opened?.id !== batch.id) {
      this.#opened = { id: batch.id, ops: await this.#shelf.open(batch) };
    }
    return this.#opened.ops;
  }
}

function classesOf({ lacks }: HealQuery): OpClass[] {
  return [...new Set(lacks.map((range) => range.class))].toSorted((a, b) => a - b);
}

/** How many lacked ops are among those that are held; those that two batches hold count once. */
function countOf(lacks: readonly LaneRange[], held: readonly LaneRange[]): number {
  let count = 0;
  for (const lack of lacks) {
    const parts = held
      .filter((range) => sharedOps(range, lack) > 0)
      .toSorted((a, b) => a.from - b.from);
    let at = lack.from;
    for (const { from, to } of parts) {
      const end = Math.min(to, lack.to);
      count += Math.max(0, end - Math.max(from, at) + 1);
      at = Math.max(at, end + 1);
    }
  }
  return count;
}

/** From which LSN on the batches of a class follow on each other without a gap, up to the newest. */
function wholeFrom(batches: readonly KnownBatch[]): number {
  const byId = new Map(batches.map((batch) => [batch.id, batch]));
  let [at] = batches.toSorted((a, b) => b.throughLsn - a.throughLsn);
  for (let looked = 0; at !== undefined && looked < batches.length; looked++) {
    const before: KnownBatch | undefined =
      at.previous === undefined ? undefined : byId.get(at.previous);
    if (before === undefined) return at.previous === undefined ? 0 : at.fromLsn;
    at = before;
  }
  return 0;
}

/** Lacked numbers, each given once. */
class Lacking {
  readonly #rangesByLane = new Map<Lane, LaneRange[]>();
  readonly #taken = new Set<string>();

  constructor(lacks: readonly LaneRange[]) {
    for (const range of lacks) addTo(this.#rangesByLane, laneOf(range.origin, range.class), range);
  }

  takes({ origin, class: opClass, seq }: StampedOp['op']): boolean {
    const lane = laneOf(origin, opClass);
    const ranges = this.#rangesByLane.get(lane);
    if (ranges?.some(({ from, to }) => seq >= from && seq <= to) !== true) return false;
    const name = `${lane}/${seq}`;
    if (this.#taken.has(name)) return false;
    this.#taken.add(name);
    return true;
  }
}
