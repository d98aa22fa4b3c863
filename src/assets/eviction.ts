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
  /** What the disk gives before others run short; below zero: they do already. */
  readonly spareBytes: number;
  /** Everything up to here has its receipt; undefined without an uplink. */
  readonly receiptedLsn: number | undefined;
}

/** The longest unused whose going makes room for a newcomer of `bytes`; undefined where there is no room to be had. */
export function evictionFor<T extends Held>(
  held: readonly T[],
  bytes: number,
  { bytesMax, countMax, spareBytes, receiptedLsn }: Room,
): readonly T[] | undefined {
  const sum = held.reduce((all, each) => all + each.bytes, bytes);
  let excess = Math.max(sum - bytesMax, bytes - spareBytes);
  let surplus = held.length + 1 - countMax;
  if (excess <= 0 && surplus <= 0) return [];
  const going: T[] = [];
  for (const candidate of goingFirst(held, receiptedLsn)) {
    if (excess <= 0 && surplus <= 0) break;
    going.push(candidate);
    excess -= candidate.bytes;
    surplus -= 1;
  }
  return excess <= 0 && surplus <= 0 ? going : undefined;
}

/** So much of what may go that the disk is short of `bytes` no more, or all of it. */
export function yieldFor<T extends Held>(
  held: readonly T[],
  bytes: number,
  receiptedLsn: number | undefined,
): readonly T[] {
  const going: T[] = [];
  let short = bytes;
  for (const candidate of goingFirst(held, receiptedLsn)) {
    if (short <= 0) break;
    going.push(candidate);
    short -= candidate.bytes;
  }
  return going;
}

/** What may go, the longest unused first. */
function goingFirst<T extends Held>(held: readonly T[], receiptedLsn: number | undefined): T[] {
  if (receiptedLsn === undefined) return [];
  return held
    .filter(({ throughLsn }) => throughLsn <= receiptedLsn)
    .toSorted((a, b) => a.usedAt - b.usedAt);
}
