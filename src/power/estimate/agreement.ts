/**
 * Where two sources are believed and cannot both be right: the one that stands first in the declared order counts, and people are
 * told that another says otherwise. Only what all sources of one battery must agree on is compared; currents and powers
 * may be of different wires.
 */
import { type HeardField, isStale, type ReadingField } from './reading.ts';
import type { Suspect } from './plausibility.ts';

/** Cables lose some volts, and gauges of charge are never of one mind: beyond this one of two is wrong. */
const VOLTS_RATIO_MAX = 0.05;
const SOC_MAX = 0.15;
/** Sources are read at different moments, and a fuse that was put back takes a while. */
const LASTS_AFTER_MS = 10 * 60_000;

export interface Teller {
  readonly name: string;
  readonly fields: readonly HeardField[];
  readonly suspects: readonly Suspect[];
}

interface Told {
  readonly source: string;
  readonly value: number;
}

export interface Dispute {
  readonly field: ReadingField;
  readonly believed: Told;
  readonly other: Told;
}

export interface LastingDispute extends Dispute {
  readonly sinceMs: number;
}

/** What those who tell something now do not agree on; `tellers` in order of trust. */
export function disputesOf(
  tellers: readonly Teller[],
  nowMs: number,
  nominalVolts: number,
): Dispute[] {
  const compared = [
    ['batteryVolts', VOLTS_RATIO_MAX * nominalVolts],
    ['socRatio', SOC_MAX],
  ] as const;
  return compared.flatMap(([field, most]) => {
    const [believed, ...others] = tellers.flatMap((teller) => toldBy(teller, field, nowMs));
    if (believed === undefined) return [];
    return others
      .filter(({ value }) => Math.abs(value - believed.value) > most)
      .map((other) => ({ field, believed, other }));
  });
}

/** Disputes that are no accident of a moment. Bounded: one entry a source and field. */
export class Disputes {
  #lasting = new Map<string, LastingDispute>();

  look(disputes: readonly Dispute[], nowMs: number): void {
    this.#lasting = new Map(
      disputes.map((dispute) => {
        const key = keyOf(dispute);
        return [key, { ...dispute, sinceMs: this.#lasting.get(key)?.sinceMs ?? nowMs }];
      }),
    );
  }

  lasting(nowMs: number): LastingDispute[] {
    return [...this.#lasting.values()].filter(({ sinceMs }) => nowMs - sinceMs >= LASTS_AFTER_MS);
  }
}

function keyOf({ field, believed, other }: Dispute): string {
  return `${field} ${believed.source} ${other.source}`;
}

function toldBy({ name, fields, suspects }: Teller, field: ReadingField, nowMs: number): Told[] {
  const cell = fields.find((it) => it.field === field);
  if (cell === undefined || typeof cell.value !== 'number' || isStale(cell.atMs, nowMs)) return [];
  const isRefused = suspects.some((it) => it.field === field && it.atMs === cell.atMs);
  return isRefused ? [] : [{ source: name, value: cell.value }];
}
