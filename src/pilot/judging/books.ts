/**
 * The pilot's own books about every op: born, acknowledged, stored upstream. They know nothing of how the hub
 * works; that is why they may judge it. An op counts by class and number of its lane, a device's own or the hub's.
 */
import { CLASSES, type OpClass, perClass } from '../../model/class.ts';
import { DEADLINES_MS } from '../../power/backlog.ts';

export interface TrackedOp {
  readonly class: OpClass;
  readonly bornMs: number;
  /** Of its newest place in the hub's journal; 0 before it has one. */
  lsn: number;
  acked: boolean;
  stored: boolean;
}

export interface ClassFigures {
  readonly born: number;
  readonly acknowledged: number;
  readonly stored: number;
  /** Of what is acknowledged: not stored yet. */
  readonly waiting: number;
  readonly late: number;
  /** Of those: the region was out of reach before they fell due, so that no hub could have sent them in time for sure. */
  readonly lateAway: number;
  /** Hours from birth to storage. */
  readonly medianHours: number;
  readonly p95Hours: number;
  readonly worstHours: number;
}

/** Delays are kept by the minute up to a week, and as one beyond. */
const DELAY_MINUTES_MAX = 7 * 24 * 60;

export class Books {
  readonly #waiting = new Map<string, TrackedOp>();
  /** No hub has given them a number: not handed in, refused, or lost with a crash before they were acknowledged. */
  readonly #unnumbered = new Set<TrackedOp>();
  readonly #born = perClass(() => 0);
  readonly #acked = perClass(() => 0);
  readonly #stored = perClass(() => 0);
  /** Acknowledged and not stored: counted apart from the keys, so that no key that is forgotten takes an op along. */
  readonly #owed = perClass(() => 0);
  readonly #late = perClass(() => 0);
  readonly #lateAway = perClass(() => 0);
  readonly #wasAway: (fromMs: number, toMs: number) => boolean;
  readonly #delays = perClass(() => new Map<number, number>());
  #isClosed = false;

  /** `wasAway`: whether the region was out of reach at some moment between the two. */
  constructor(wasAway: (fromMs: number, toMs: number) => boolean = () => false) {
    this.#wasAway = wasAway;
  }

  born(opClass: OpClass, nowMs: number): TrackedOp {
    this.#born[opClass] += 1;
    const op = { class: opClass, bornMs: nowMs, lsn: 0, acked: false, stored: false };
    this.#unnumbered.add(op);
    return op;
  }

  /** The hub has taken the op under this number; it is not acknowledged yet. */
  number(key: string, op: TrackedOp, lsn: number): void {
    op.lsn = lsn;
    this.#waiting.set(key, op);
    this.#unnumbered.delete(op);
  }

  /** The hub died: a number that its journal did not keep is given out again. */
  forget(key: string): void {
    const op = this.#waiting.get(key);
    if (op !== undefined) this.#unnumbered.add(op);
    this.#waiting.delete(key);
  }

  acknowledged(op: TrackedOp): void {
    if (op.acked) return;
    op.acked = true;
    this.#acked[op.class] += 1;
    if (!op.stored) this.#owed[op.class] += 1;
  }

  stored(key: string, nowMs: number): void {
    const op = this.#waiting.get(key);
    if (op === undefined) return;
    this.#waiting.delete(key);
    if (op.stored) return;
    op.stored = true;
    this.#stored[op.class] += 1;
    if (op.acked) this.#owed[op.class] -= 1;
    if (this.#isClosed) return;
    const delayMs = Math.max(0, nowMs - op.bornMs);
    if (delayMs > DEADLINES_MS[op.class]) this.#wasLate(op);
    const minute = Math.min(DELAY_MINUTES_MAX, Math.floor(delayMs / 60_000));
    const delays = this.#delays[op.class];
    delays.set(minute, (delays.get(minute) ?? 0) + 1);
  }

  /** Acknowledged ops that no region has. */
  *outstanding(): Generator<[key: string, op: TrackedOp]> {
    for (const entry of this.#waiting) if (entry[1].acked && !entry[1].stored) yield entry;
  }

  /** What never came is late where its deadline has passed: told once, when counting ends. */
  closeAt(nowMs: number): void {
    for (const op of new Set([...this.#waiting.values(), ...this.#unnumbered])) {
      if (!op.stored && nowMs - op.bornMs > DEADLINES_MS[op.class]) this.#wasLate(op);
    }
    this.#isClosed = true;
  }

  figures(): Record<OpClass, ClassFigures> {
    return perClass((opClass) => {
      const delays = [...this.#delays[opClass]].toSorted((a, b) => a[0] - b[0]);
      return {
        born: this.#born[opClass],
        acknowledged: this.#acked[opClass],
        stored: this.#stored[opClass],
        waiting: this.#owed[opClass],
        late: this.#late[opClass],
        lateAway: this.#lateAway[opClass],
        medianHours: quantile(delays, 0.5) / 60,
        p95Hours: quantile(delays, 0.95) / 60,
        worstHours: quantile(delays, 1) / 60,
      };
    });
  }

  #wasLate({ class: opClass, bornMs }: TrackedOp): void {
    this.#late[opClass] += 1;
    if (this.#wasAway(bornMs, bornMs + DEADLINES_MS[opClass])) this.#lateAway[opClass] += 1;
  }

  /** The part of a class's stored ops that had arrived after so many minutes, rising. */
  delayCurve(opClass: OpClass): { readonly minutes: number; readonly share: number }[] {
    const delays = [...this.#delays[opClass]].toSorted((a, b) => a[0] - b[0]);
    const total = delays.reduce((sum, [, ops]) => sum + ops, 0);
    let seen = 0;
    return delays.map(([minutes, ops]) => {
      seen += ops;
      return { minutes, share: seen / total };
    });
  }

  get acknowledgedTotal(): number {
    return CLASSES.reduce<number>((sum, opClass) => sum + this.#acked[opClass], 0);
  }

  /** How many acknowledged ops no region has. */
  get owedTotal(): number {
    return CLASSES.reduce<number>((sum, opClass) => sum + this.#owed[opClass], 0);
  }
}

function quantile(delays: readonly (readonly [number, number])[], part: number): number {
  const total = delays.reduce((sum, [, ops]) => sum + ops, 0);
  let seen = 0;
  for (const [minute, ops] of delays) {
    seen += ops;
    if (seen >= part * total) return minute;
  }
  return 0;
}
