/**
 * Times of ops whose maker's clock was not set, or is in doubt (merge/MERGE.md §11). What the ops of a batch tell of boots is
 * learned before any of them is dated; what waited for it in the tables moves to where it belongs. Times that people are
 * shown, nothing else: state and digest know nothing of it.
 *
 * Two workers may have ops of one boot at once, and one must see what the other brings. So of boots that nobody has
 * told of, the origin is locked, behind the lanes and before the records; of all others, nothing is.
 */
import { textOfOpId } from '../../../merge/op-id.ts';
import { effectiveHlc } from '../../../model/hlc.ts';
import type { Origin } from '../../../model/origin.ts';
import type { Op, StampedOp } from '../../../model/op.ts';
import type { Sql } from '../../../platform/network/postgres.ts';
import { isAsGood, isInDoubt } from '../../../store/times/doubt.ts';
import { int8Array, textArray, timeArray } from '../binary-arrays.ts';

/** Moment of a reading, and what it waits for where that is not known yet. */
interface Dated {
  readonly atMs: number;
  readonly boot: UndatedMoment | undefined;
}

interface UndatedMoment {
  readonly bootId: number;
  readonly monotonicMs: number;
  /** When the boot began by the clock that is in doubt; undefined where it was not set at all. */
  readonly ownStartMs: number | undefined;
}

interface Boot {
  readonly origin: Origin;
  readonly bootId: number;
  /** What the first op with a good clock tells. */
  toldMs: number | undefined;
  startMs: number | undefined;
}

/** Nothing runs for a hundred years without a restart. */
const BOOT_MS_MAX = 100 * 365 * 86_400_000;
const KNOWN = `
  SELECT origin, boot_id, extract(epoch FROM start_at) * 1000 AS start_ms
  FROM heliograph.boot JOIN unnest($2::text[], $3::int8[]) AS t (o, b) ON origin = o AND boot_id = b
  WHERE site_id = $1`;
const LOCK = `
  SELECT pg_advisory_xact_lock(hashtextextended('heliograph boots ' || $1 || ' ' || o, 0))
  FROM (SELECT DISTINCT o FROM unnest($2::text[]) AS o ORDER BY o) AS origins`;
const LEARN = `
  INSERT INTO heliograph.boot (site_id, origin, boot_id, start_at)
  SELECT $1, * FROM unnest($2::text[], $3::int8[], $4::timestamptz[])`;
const REPAIR = `
  UPDATE heliograph.reading r SET boot_id = NULL, monotonic_ms = NULL, own_start_at = NULL,
    at = CASE WHEN heliograph.is_as_good(r.own_start_at, t.s) THEN r.at
      ELSE t.s + r.monotonic_ms * interval '1 ms' END
  FROM heliograph.lane l, unnest($2::text[], $3::int8[], $4::timestamptz[]) AS t (o, b, s)
  WHERE l.site_id = $1 AND split_part(l.lane, '/', 1) = t.o AND r.lane_id = l.id AND r.boot_id = t.b`;
const PUT_UNDATED = `
  INSERT INTO heliograph.undated_op (site_id, op, origin, boot_id, monotonic_ms, own_start_at)
  SELECT $1, * FROM unnest($2::text[], $3::text[], $4::int8[], $5::int8[], $6::timestamptz[])
  ON CONFLICT DO NOTHING`;

export class BootTimes {
  readonly #siteId: number;
  readonly #boots: ReadonlyMap<string, Boot>;

  private constructor(siteId: number, boots: ReadonlyMap<string, Boot>) {
    this.#siteId = siteId;
    this.#boots = boots;
  }

  /** Learns what these ops tell, and repairs what waited for it. */
  static async learn(sql: Sql, siteId: number, ops: readonly StampedOp[]): Promise<BootTimes> {
    const boots = bootsIn(ops);
    await lookUp(sql, siteId, [...boots.values()]);
    const unknown = [...boots.values()].filter(({ startMs }) => startMs === undefined);
    if (unknown.length > 0) {
      await sql.query(LOCK, [String(siteId), textArray(unknown.map(({ origin }) => origin))]);
      await lookUp(sql, siteId, unknown);
      await learn(sql, siteId, unknown);
    }
    return new BootTimes(siteId, boots);
  }

  /** The moment of an event. */
  dated({ op, stamp }: StampedOp): Dated {
    const atMs = effectiveHlc(op.hlc, stamp.hlc).ms;
    if (isGood(op, stamp.hlc.ms) || !isPossible(op)) return { atMs, boot: undefined };
    const moment = momentOf(op);
    const startMs = this.#startOf(op);
    if (startMs === undefined) return { atMs, boot: moment };
    const isRight = isAsGood(moment.ownStartMs ?? null, startMs);
    return { atMs: isRight ? atMs : startMs + moment.monotonicMs, boot: undefined };
  }

  /** Remembers of ops on records what their own clocks do not say. */
  async putUndated(sql: Sql, ops: readonly StampedOp[]): Promise<void> {
    const undated = ops
      .filter(({ op, stamp }) => !isGood(op, stamp.hlc.ms) && isPossible(op))
      .map(({ op }) => op);
    if (undated.length === 0) return;
    const moments = undated.map((op) => momentOf(op));
    await sql.query(PUT_UNDATED, [
      this.#siteId,
      textArray(undated.map((op) => textOfOpId(op))),
      textArray(undated.map(({ origin }) => origin)),
      int8Array(moments.map(({ bootId }) => bootId)),
      int8Array(moments.map(({ monotonicMs }) => monotonicMs)),
      timeArray(moments.map(({ ownStartMs }) => ownStartMs)),
    ]);
  }

  #startOf({ origin, clock }: Op): number | undefined {
    return this.#boots.get(nameOf(origin, clock.bootId))?.startMs;
  }
}

/** The boots of these ops; a run of ops is of one. */
function bootsIn(ops: readonly StampedOp[]): Map<string, Boot> {
  const boots = new Map<string, Boot>();
  let last: Boot | undefined;
  for (const { op, stamp } of ops) {
    const { origin, clock, hlc } = op;
    if (last?.origin !== origin || last.bootId !== clock.bootId) {
      const name = nameOf(origin, clock.bootId);
      last = boots.get(name) ?? {
        origin,
        bootId: clock.bootId,
        toldMs: undefined,
        startMs: undefined,
      };
      boots.set(name, last);
    }
    if (last.toldMs === undefined && isGood(op, stamp.hlc.ms) && isPossible(op)) {
      last.toldMs = hlc.ms - clock.monotonicMs;
    }
  }
  return boots;
}

async function lookUp(sql: Sql, siteId: number, boots: readonly Boot[]): Promise<void> {
  const rows = await sql.query(KNOWN, [siteId, ...namesOf(boots)]);
  const starts = new Map(
    rows.map((row) => [
      nameOf(row['origin'] as Origin, Number(row['boot_id'])),
      Number(row['start_ms']),
    ]),
  );
  for (const boot of boots) boot.startMs = starts.get(nameOf(boot.origin, boot.bootId));
}

async function learn(sql: Sql, siteId: number, boots: readonly Boot[]): Promise<void> {
  const told = boots.filter(({ startMs, toldMs }) => startMs === undefined && toldMs !== undefined);
  if (told.length === 0) return;
  for (const boot of told) boot.startMs = boot.toldMs;
  const values = [siteId, ...namesOf(told), timeArray(told.map(({ startMs }) => startMs))];
  await sql.query(LEARN, values);
  await sql.query(REPAIR, values);
}

function namesOf(boots: readonly Boot[]): [origins: Uint8Array, bootIds: Uint8Array] {
  return [
    textArray(boots.map(({ origin }) => origin)),
    int8Array(boots.map(({ bootId }) => bootId)),
  ];
}

function nameOf(origin: Origin, bootId: number): string {
  return `${origin} ${bootId}`;
}

/** Whether the op's own clock says when it was made. */
function isGood({ clock, hlc }: Op, stampMs: number): boolean {
  return clock.quality !== 'unknown' && !isInDoubt(hlc.ms, stampMs);
}

/** Who claims more sums up to times that no database takes. */
function isPossible({ clock }: Op): boolean {
  return clock.monotonicMs <= BOOT_MS_MAX;
}

function momentOf({ clock, hlc }: Op): UndatedMoment {
  const { quality, bootId, monotonicMs } = clock;
  return {
    bootId,
    monotonicMs,
    ownStartMs: quality === 'unknown' ? undefined : hlc.ms - monotonicMs,
  };
}
