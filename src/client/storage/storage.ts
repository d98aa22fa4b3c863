/**
 * Where a device keeps what must outlive its process: a log of its own ops, and the last state it was given. A file
 * in Node, IndexedDB in a browser. The log is the promise: what `append` resolved is there after a crash. The state
 * is a convenience: lost, it is pulled again.
 */
export interface DeviceStorage {
  /** Entries of the log in order, without a torn end, and without what is damaged. */
  readonly entries: readonly Uint8Array[];
  /** How much of the log is damaged, and where it is kept once the log is written anew; undefined where nothing is. */
  readonly damage: string | undefined;
  /** What `saveState` kept last. */
  readonly state: Uint8Array | undefined;
  /** Resolves when the entries survive a crash, all or none of them; rejects where they may not. */
  append(entries: readonly Uint8Array[]): Promise<void>;
  /** Replaces the whole log; a crash leaves the old or the new one. */
  replace(entries: readonly Uint8Array[]): Promise<void>;
  saveState(state: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
