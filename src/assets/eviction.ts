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

interface Room {
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
  const short = {
    bytes: Math.max(sum - bytesMax, bytes - spareBytes),
    places: held.length + 1 - countMax,
  };
  const { going, isEnough } = goingFor(held, short, receiptedLsn);
  return isEnough ? going : undefined;
}

/** So much of what may go that the disk is short of `bytes` no more, or all of it. */
export function yieldFor<T extends Held>(
  held: readonly T[],
  bytes: number,
  receiptedLsn: number | undefined,
): readonly T[] {
  return goingFor(held, { bytes, places: 0 }, receiptedLsn).going;
}

/** The longest unused of what may go, as many as make up for what is short, or all of it. */
function goingFor<T extends Held>(
  held: readonly T[],
  short: { readonly bytes: number; readonly places: number },
  receiptedLsn: number | undefined,
): { readonly going: readonly T[]; readonly isEnough: boolean } {
  let { bytes, places } = short;
  const going: T[] = [];
  const isEnough = (): boolean => bytes <= 0 && places <= 0;
  if (isEnough()) return { going, isEnough: true };
  for (const candidate of goingFirst(held, receiptedLsn)) {
    if (isEnough()) break;
    going.push(candidate);
    bytes -= candidate.bytes;
    places -= 1;
  }
  return { going, isEnough: isEnough() };
}

/** What may go, the longest unused first. */
function goingFirst<T extends Held>(held: readonly T[], receiptedLsn: number | undefined): T[] {
  if (receiptedLsn === undefined) return [];
  return held
    .filter(({ throughLsn }) => throughLsn <= receiptedLsn)
    .toSorted((a, b) => a.usedAt - b.usedAt);
}
