/**
 * What has to go so that something new has room (ASSETS.md §4). Pure. Never the only copy: what has no receipt yet is not a
 * candidate, and without an uplink nothing is.
 */
export interface Held {
  readonly bytes: number;
  /** LSN up to which the journal has its pieces; all of them are receipted behind it. */
  readonly throughLsn: number;
  /** When it was last read or written, as a count; 0: not since the start. */
  readonly usedAt: number;
}

export interface Room {
  readonly bytesMax: number;
  readonly countMax: number;
  /** Everything up to here has its receipt; undefined without an uplink. */
  readonly receiptedLsn: number | undefined;
}

/** The longest unused whose going makes room for `bytes`; undefined where there is no room to be had. */
export function evictionFor<T extends Held>(
  held: readonly T[],
  bytes: number,
  { bytesMax, countMax, receiptedLsn }: Room,
): readonly T[] | undefined {
  let excess = held.reduce((sum, each) => sum + each.bytes, bytes) - bytesMax;
  let surplus = held.length + 1 - countMax;
  if (excess <= 0 && surplus <= 0) return [];
  if (receiptedLsn === undefined) return undefined;
  const candidates = held
    .filter(({ throughLsn }) => throughLsn <= receiptedLsn)
    .toSorted((a, b) => a.usedAt - b.usedAt);
  const going: T[] = [];
  for (const candidate of candidates) {
    if (excess <= 0 && surplus <= 0) break;
    going.push(candidate);
    excess -= candidate.bytes;
    surplus -= 1;
  }
  return excess <= 0 && surplus <= 0 ? going : undefined;
}
