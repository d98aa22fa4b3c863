/**
 * Bytes that a link may carry in a month, beside energy: a metered contract. Counted by the hub's own
 * calendar (UTC), survives restarts; a wall clock that jumps back a month starts no new one.
 */
import type { LinkKind } from './energy.ts';
import { isoTime } from '../../base/iso-time.ts';

export interface QuotaState {
  readonly version: 1;
  /** `2026-03`. */
  readonly month: string;
  readonly bytes: Readonly<Partial<Record<LinkKind, number>>>;
}

export class QuotaMeter {
  readonly #bytesMax: Readonly<Partial<Record<LinkKind, number>>>;
  #month: string;
  #bytes: Partial<Record<LinkKind, number>>;

  /** `bytesMax` of a month by link; a link that is absent has no quota. */
  constructor(bytesMax: Readonly<Partial<Record<LinkKind, number>>>, saved?: unknown) {
    const state = quotaStateOf(saved);
    this.#bytesMax = bytesMax;
    this.#month = state?.month ?? '';
    this.#bytes = { ...state?.bytes };
  }

  get state(): QuotaState {
    return { version: 1, month: this.#month, bytes: this.#bytes };
  }

  count(link: LinkKind, bytes: number, wallMs: number): void {
    this.#turn(wallMs);
    this.#bytes[link] = (this.#bytes[link] ?? 0) + bytes;
  }

  /** Part of the month's quota that is used; 0 where the link has none. */
  usedRatio(link: LinkKind, wallMs: number): number {
    this.#turn(wallMs);
    const bytesMax = this.#bytesMax[link];
    return bytesMax === undefined ? 0 : (this.#bytes[link] ?? 0) / Math.max(1, bytesMax);
  }

  #turn(wallMs: number): void {
    const month = isoTime(wallMs).slice(0, 7);
    if (month <= this.#month) return;
    this.#month = month;
    this.#bytes = {};
  }
}

function quotaStateOf(value: unknown): QuotaState | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, month, bytes } = value as Partial<QuotaState>;
  const counted = typeof bytes === 'object' && bytes !== null;
  const good =
    version === 1 &&
    typeof month === 'string' &&
    /^\d{4}-\d{2}$/.test(month) &&
    counted &&
    Object.values(bytes).every((it) => Number.isFinite(it) && it >= 0);
  return good ? (value as QuotaState) : undefined;
}
