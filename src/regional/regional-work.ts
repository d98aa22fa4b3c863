/** What a process of the regional node has done since its start. */
export interface RegionalWork {
  readonly chunks: number;
  readonly batches: number;
  readonly ops: number;
  readonly parked: number;
  readonly nonsense: number;
  readonly overQuota: number;
}
