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
  /** What chunks of a hub, and of all hubs of a site, may bring in a day; beyond it they are left lying. 0: no limit. */
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
