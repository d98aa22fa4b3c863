/** What a regional node takes on, and what happens at the limit. */

export interface RegionalLimits {
  /** Sites; the hello of a hub of one more is refused and logged. */
  readonly sitesMax: number;
  /** Hubs of a site; as above. */
  readonly hubsMax: number;
  /** Incomplete batches of a hub; the one untouched for longest goes. */
  readonly partsMax: number;
  /** Their bytes; as above. */
  readonly partBytesMax: number;
  /** Received batches of a site that are kept for audit; the oldest go, but the newest few of each hub and class stay. */
  readonly archiveBytesMax: number;
  readonly archiveBatchesMax: number;
  /** Refused batches of a site that are kept for a person to look at; the oldest go. */
  readonly parkedMax: number;
  /** What chunks of a hub, and of all hubs of a site, may bring in a day; beyond it and its reserve they are left lying. 0: no limit. */
  readonly hubMibPerDay: number;
  readonly siteMibPerDay: number;
  /** A batch that arrives damaged this often is not asked for again. */
  readonly damagedMax: number;
}

export const DEFAULT_REGIONAL_LIMITS: RegionalLimits = {
  sitesMax: 200,
  hubsMax: 1_000,
  partsMax: 64,
  partBytesMax: 64 << 20,
  archiveBytesMax: 4 * 2 ** 30,
  archiveBatchesMax: 20_000,
  parkedMax: 64,
  hubMibPerDay: 0,
  siteMibPerDay: 0,
  damagedMax: 3,
};

const MIB = 1 << 20;
const RESERVE_RATIO = 0.05;
/** More than what is on its way when a hub is told (uplink/session/session.ts, BYTES_MOVING_MAX). */
const RESERVE_BYTES_MIN = 512 << 10;

/** What a quota of so many MiB comes to: where hubs are asked to send alarms and commands alone, and where all ends. */
export function quotaBytes(mib: number): { readonly quota: number; readonly withReserve: number } {
  const quota = mib * MIB;
  if (mib === 0) return { quota: Infinity, withReserve: Infinity };
  return { quota, withReserve: quota + Math.max(RESERVE_BYTES_MIN, quota * RESERVE_RATIO) };
}
