/** Stores in a folder of the test. */
import { join } from 'node:path';

import { SILENT_LOG } from '../../../src/base/log.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { Store, type StoreEntry, type StoreOptions } from '../../../src/store/store.ts';

export function storeOptions(dir: string, options: Partial<StoreOptions> = {}): StoreOptions {
  const path = join(dir, 'state.db');
  return { path, files: machineFiles, log: SILENT_LOG, readingsDays: 30, ...options };
}

export function openStore(dir: string, options: Partial<StoreOptions> = {}): Store {
  return Store.open(storeOptions(dir, options));
}

/** The ops as entries from LSN `firstLsn` on. */
export function entriesOf(ops: readonly StampedOp[], firstLsn = 1): StoreEntry[] {
  return ops.map((stamped, index) => ({ lsn: firstLsn + index, stamped }));
}
