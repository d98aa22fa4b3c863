/**
 * Bytes that a link may carry in a month, beside energy: a metered contract. Counted by the hub's own
 * calendar (UTC), survives restarts. A clock that nobody has set begins no month: what is counted by it belongs to the
 * first that comes. A wall clock that jumps back takes nothing off: the month that it lands in has what was counted
 * there, and what was counted since.
 */
import type { LinkKind } from './energy.ts';
import { isoTime } from '../../base/iso-time.ts';

export interface QuotaState {
  readonly version: 1;
  /** `2026-03`, or nothing where nobody has told the date yet. */
  readonly month: string;
  readonly bytes: LinkBytes;
  /** Of months before, or ahead where the clock once was. */
  readonly others?: Readonly<Record<string, LinkBytes>>;
}

type LinkBytes = Readonly<Partial<Record<LinkKind, number>>>;

export interface QuotaUse {
  readonly month: string;
  readonly usedBytes: number;
  readonly bytesMax: number;
}

/** Counted and not saved, at most: a power cut forgets no more. */
const UNSAVED_BYTES = 64 << 10;
const MONTHS_KEPT = 3;
const DAY_MS = 86_400_000;

export class QuotaMeter {
  readonly #bytesMax: Readonly<Partial<Record<LinkKind, number>>>;
  #month: string;
  #bytes: Partial<Record<LinkKind, number>>;
  /** Months that the clock has been in before, a few. */
  readonly #others: Map<string, LinkBytes>;
  #unsavedBytes = 0;
  /** The UTC day of the last look at the calendar. */
  #day = Number.NaN;

  /** `bytesMax` of a month by link; a link that is absent has no quota. */
  constructor(bytesMax: Readonly<Partial<Record<LinkKind, number>>>, saved?: unknown) {
    const state = quotaStateOf(saved);
    this.#bytesMax = bytesMax;
    this.#month = state?.month ?? '';
    this.#bytes = { ...state?.bytes };
    this.#others = new Map(Object.entries(state?.others ?? {}));
  }

  get state(): QuotaState {
    const others = Object.fromEntries(this.#others);
    return { version: 1, month: this.#month, bytes: this.#bytes, others };
  }

  count(link: LinkKind, bytes: number, wallMs: number, isDateTrusted = true): void {
    this.#turn(wallMs, isDateTrusted);
    if (bytes > 0) this.#unsavedBytes += bytes;
    this.#bytes[link] = (this.#bytes[link] ?? 0) + bytes;
  }

  /** Part of the month's quota that is used; 0 where the link has none. */
  usedRatio(link: LinkKind, wallMs: number, isDateTrusted = true): number {
    this.#turn(wallMs, isDateTrusted);
    const bytesMax = this.#bytesMax[link];
    return bytesMax === undefined ? 0 : (this.#bytes[link] ?? 0) / Math.max(1, bytesMax);
  }

  /** What is used of a link's month; undefined where it has no quota. */
  use(link: LinkKind): QuotaUse | undefined {
    const bytesMax = this.#bytesMax[link];
    if (bytesMax === undefined) return undefined;
    return { month: this.#month, usedBytes: this.#bytes[link] ?? 0, bytesMax };
  }

  /** True once so much was counted since the last save that losing it to a crash would matter. */
  get isWorthSaving(): boolean {
    const least = Math.min(...Object.values(this.#bytesMax));
    return Number.isFinite(least) && this.#unsavedBytes >= Math.max(UNSAVED_BYTES, least / 1_000);
  }

  saved(): void {
    this.#unsavedBytes = 0;
  }

  #turn(wallMs: number, isDateTrusted: boolean): void {
    const day = Math.floor(wallMs / DAY_MS);
    if (!isDateTrusted || day === this.#day) return;
    this.#day = day;
    const month = isoTime(wallMs).slice(0, 7);
    if (month === this.#month) return;
    const known = this.#others.get(month) ?? {};
    const goesOn = month < this.#month || this.#month === '';
    if (this.#month !== '') this.#others.set(this.#month, this.#bytes);
    this.#others.delete(month);
    for (const oldest of [...this.#others.keys()].toSorted().slice(0, -MONTHS_KEPT)) {
      this.#others.delete(oldest);
    }
    this.#bytes = goesOn ? added(known, this.#bytes) : known;
    this.#month = month;
  }
}

function added(a: LinkBytes, b: LinkBytes): LinkBytes {
  const sum: Partial<Record<LinkKind, number>> = { ...a };
  for (const [link, bytes] of Object.entries(b) as [LinkKind, number][]) {
    sum[link] = (sum[link] ?? 0) + bytes;
  }
  return sum;
}

function quotaStateOf(value: unknown): QuotaState | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, month, bytes, others } = value as Partial<QuotaState>;
  const isKnown = version === 1 && (month === '' || isMonth(month)) && isCount(bytes);
  if (!isKnown) return undefined;
  const rest = Object.entries(others ?? {}).filter(([name, it]) => isMonth(name) && isCount(it));
  return { version, month, bytes, others: Object.fromEntries(rest.slice(-MONTHS_KEPT)) };
}

function isMonth(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d{2}$/.test(value);
}

function isCount(value: unknown): value is LinkBytes {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every((it) => Number.isFinite(it) && it >= 0);
}
