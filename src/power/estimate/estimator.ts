/**
 * From readings of several sources to one picture of the battery. Field by field the first source in the
 * declared order wins that has a fresh and believable value. The state of charge comes from a source that
 * tells it, else from counting amperes (state-of-charge.ts), else it is absent and the voltage speaks for
 * itself. Absent means unknown: never empty, never full. Time is passed in; the same readings give the same picture.
 */
import {
  isStale,
  type Reading,
  READING_FIELDS,
  type ReadingDraft,
  type ReadingField,
} from './reading.ts';
import { isMadeOf, NOTHING_WATTS, Plausibility, type Suspect } from './plausibility.ts';
import {
  type Battery,
  ChargeCounter,
  type ChargeState,
  ERROR_POINTS_MAX,
} from './state-of-charge.ts';

export type ChargeOrigin = 'source' | 'counted' | 'none';

export interface BatteryEstimate {
  readonly socPct?: number;
  /** Half width of what the charge may be, in points. */
  readonly socErrPct?: number;
  readonly socOrigin: ChargeOrigin;
  readonly batteryV?: number;
  readonly batteryW?: number;
  readonly pvW?: number;
  readonly loadW?: number;
  readonly curtailed?: boolean;
  readonly mains: boolean;
  /** Who tells the charge, or else the voltage, current or power; `none` where nobody tells anything of the battery. */
  readonly source: string;
  /** Age of that value in seconds; Infinity where nobody ever told. */
  readonly ageS: number;
  /** When the newest reading of any source was taken (monotonic); −Infinity before the first. */
  readonly readingAtMs: number;
  /** Sensors that jump, stick or go out of range, by source and field: shown, not believed. */
  readonly suspects: readonly string[];
}

type EstimateDraft = { -readonly [Field in keyof BatteryEstimate]: BatteryEstimate[Field] };

/** What survives a restart, with the wall time of saving. */
export interface EstimatorState {
  readonly charge?: ChargeState;
}

interface Cell {
  readonly value: unknown;
  readonly atMs: number;
  readonly low: boolean;
}

interface Slot {
  readonly source: string;
  readonly plausibility: Plausibility;
  readonly cells: Map<ReadingField, Cell>;
}

interface Told {
  readonly source: string;
  /** In the order of trust. */
  readonly rank: number;
  readonly cell: Cell;
}

interface Fused {
  readonly draft: ReadingDraft;
  readonly cellOf: (field: ReadingField) => Told | undefined;
}

/** A gap in the power longer than this cannot be bridged by what flows behind it. */
const FLOW_GAP_MS_MAX = 2 * 60_000;

/** What a source that tells a charge is trusted to; a maker known to be wrong, less. */
const TOLD_ERROR_POINTS = 3;
const TOLD_LOW_ERROR_POINTS = 15;

export class Estimator {
  readonly #slots: Slot[];
  readonly #counter: ChargeCounter;
  readonly #capacityWh: number;
  #newestMs = -Infinity;
  /** What flowed into the battery since the start, by its size. */
  #flowRatio = 0;
  #flowedMs = -Infinity;
  #anchorRatio: number | undefined;

  /** `sources` in order of trust; what was `saved` grows less sure from `sinceMs` (monotonic) on. */
  constructor(
    battery: Battery,
    sources: readonly string[],
    saved?: EstimatorState,
    sinceMs?: number,
  ) {
    this.#slots = sources.map((source) => ({
      source,
      plausibility: new Plausibility(battery),
      cells: new Map(),
    }));
    this.#counter = new ChargeCounter(battery, saved?.charge, sinceMs);
    this.#capacityWh = battery.capacityWh;
  }

  stateAt(nowMs: number): EstimatorState {
    const charge = this.#counter.estimateAt(nowMs);
    return charge === undefined ? {} : { charge };
  }

  /** Takes a reading of the source at `index` of the declared order. */
  accept(index: number, reading: Reading): void {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    this.#newestMs = Math.max(this.#newestMs, reading.atMs);
    const { atMs } = reading;
    const refused: ReadingField[] = [];
    for (const field of READING_FIELDS) {
      const value = withoutOffset(field, reading[field]);
      if (value === undefined) continue;
      // Parts come before what is made of them.
      if (refused.some((part) => isMadeOf(field, part))) continue;
      if (slot.plausibility.believes(field, value, atMs, this.#flowRatio)) {
        slot.cells.set(field, { value, atMs, low: reading.quality === 'low' });
      } else {
        refused.push(field);
      }
    }
    const fused = this.#fuse(atMs);
    this.#flow(powerOf(fused), atMs);
    this.#count(fused);
  }

  /** What the source at `index` of the declared order tells and nobody believes. */
  suspectsOf(index: number, nowMs: number): readonly Suspect[] {
    return this.#slots[index]?.plausibility.suspects(nowMs) ?? [];
  }

  #flow(batteryW: number | undefined, atMs: number): void {
    const sinceMs = atMs - this.#flowedMs;
    this.#flowedMs = atMs;
    if (batteryW === undefined || sinceMs <= 0 || sinceMs > FLOW_GAP_MS_MAX) return;
    this.#flowRatio += (batteryW * sinceMs) / 3_600_000 / this.#capacityWh;
  }

  /** Counts on from where a told charge moved last: where it sticks, the count is right. */
  #count({ draft, cellOf }: Fused): void {
    const amps = draft.batteryAmps ?? ampsOf(draft);
    const charge = cellOf('socRatio');
    if (charge !== undefined && !charge.cell.low) {
      const ratio = charge.cell.value as number;
      if (amps === undefined || ratio !== this.#anchorRatio) {
        this.#counter.anchor(ratio * 100, TOLD_ERROR_POINTS, charge.cell.atMs);
        this.#anchorRatio = ratio;
        return;
      }
    }
    if (amps === undefined) return;
    this.#counter.count({
      atMs: draft.atMs,
      amps,
      ...(draft.batteryVolts === undefined ? {} : { volts: draft.batteryVolts }),
      ...(draft.tempC === undefined ? {} : { tempC: draft.tempC }),
    });
  }

  estimate(nowMs: number): BatteryEstimate {
    const { draft, cellOf } = this.#fuse(nowMs);
    const charge = this.#chargeOf(cellOf, draft);
    const teller = cellOf(charge.origin === 'source' ? 'socRatio' : 'batteryVolts');
    const mains = cellOf('mains');
    const shown = teller ?? cellOf('batteryAmps') ?? cellOf('batteryWatts') ?? mains;
    const batteryW = powerOf({ draft, cellOf });
    const loadW = draft.loadWatts ?? loadOf(draft.pvWatts, batteryW);
    const { estimate: told } = charge;
    const estimate: EstimateDraft = {
      socOrigin: charge.origin,
      mains: mains !== undefined,
      source: shown?.source ?? 'none',
      ageS: shown === undefined ? this.#ageS(nowMs) : (nowMs - shown.cell.atMs) / 1_000,
      readingAtMs: this.#newestMs,
      suspects: this.#slots.flatMap((slot) =>
        slot.plausibility.suspects(nowMs).map(({ field }) => `${slot.source} ${field}`),
      ),
    };
    // Assigned one by one: this runs at every tick, and spreading parts that may be absent takes ten times as long.
    if (told !== undefined) {
      estimate.socPct = told.socPct;
      estimate.socErrPct = told.socErrPct;
    }
    if (draft.batteryVolts !== undefined) estimate.batteryV = draft.batteryVolts;
    if (batteryW !== undefined) estimate.batteryW = batteryW;
    if (draft.pvWatts !== undefined) estimate.pvW = draft.pvWatts;
    if (loadW !== undefined) estimate.loadW = loadW;
    if (draft.curtailed !== undefined) estimate.curtailed = draft.curtailed;
    return estimate;
  }

  #chargeOf(
    cellOf: Fused['cellOf'],
    draft: ReadingDraft,
  ): { origin: ChargeOrigin; estimate: { socPct: number; socErrPct: number } | undefined } {
    const told = cellOf('socRatio');
    if (told !== undefined) {
      const socErrPct = told.cell.low ? TOLD_LOW_ERROR_POINTS : TOLD_ERROR_POINTS;
      const socPct = (told.cell.value as number) * 100;
      return { origin: 'source', estimate: { socPct, socErrPct } };
    }
    const counted = this.#counter.estimate;
    const fresh = draft.batteryAmps !== undefined || draft.batteryWatts !== undefined;
    if (!fresh || counted === undefined || counted.errorPoints > ERROR_POINTS_MAX) {
      return { origin: 'none', estimate: undefined };
    }
    const estimate = { socPct: counted.percent, socErrPct: counted.errorPoints };
    return { origin: 'counted', estimate };
  }

  #fuse(nowMs: number): Fused {
    const cellOf = (field: ReadingField): Told | undefined => {
      let spare: Told | undefined;
      for (const [rank, { source, cells }] of this.#slots.entries()) {
        const cell = cells.get(field);
        if (cell === undefined || isStale(cell.atMs, nowMs)) continue;
        if (!cell.low) return { source, rank, cell };
        spare ??= { source, rank, cell };
      }
      return spare;
    };
    const draft: Record<string, unknown> = { atMs: nowMs, quality: 'good' };
    for (const field of READING_FIELDS) {
      const found = cellOf(field);
      if (found !== undefined) draft[field] = found.cell.value;
    }
    return { draft: draft as ReadingDraft, cellOf };
  }

  #ageS(nowMs: number): number {
    return (nowMs - this.#newestMs) / 1_000;
  }
}

function ampsOf(draft: ReadingDraft): number | undefined {
  const { batteryWatts, batteryVolts } = draft;
  if (batteryWatts === undefined || batteryVolts === undefined || batteryVolts <= 0)
    return undefined;
  return batteryWatts / batteryVolts;
}

/** As its source told it, but for what its zero is off by. */
function withoutOffset(field: ReadingField, value: Reading[ReadingField]): Reading[ReadingField] {
  if (field !== 'pvWatts' && field !== 'loadWatts') return value;
  return typeof value === 'number' && value < 0 && value >= -NOTHING_WATTS ? 0 : value;
}

/** Told as watts or as amperes, by whoever is trusted more. */
function powerOf({ draft, cellOf }: Fused): number | undefined {
  const watts = cellOf('batteryWatts');
  if (watts === undefined) return wattsOf(draft);
  const amps = cellOf('batteryAmps');
  const isAmpsFirst = amps !== undefined && amps.rank < watts.rank;
  return (isAmpsFirst ? wattsOf(draft) : undefined) ?? draft.batteryWatts;
}

function wattsOf(draft: ReadingDraft): number | undefined {
  const { batteryAmps, batteryVolts } = draft;
  return batteryAmps === undefined || batteryVolts === undefined
    ? undefined
    : batteryAmps * batteryVolts;
}

/** What the panel gives and the battery does not take goes to the load. */
function loadOf(pvW: number | undefined, batteryW: number | undefined): number | undefined {
  return pvW === undefined || batteryW === undefined ? undefined : Math.max(0, pvW - batteryW);
}
