/** The flash ledger of a running hub: whose folder is whose, and when the days are kept. */
import type { Broker } from '../../broker/broker.ts';
import type { Closers } from '../../closers.ts';
import { type HubPaths, hubPaths } from '../data/data.ts';
import type { HubStore } from './store.ts';
import type { Machine } from '../../machine.ts';
import { type CountingFiles, countWrites } from '../../platform/files/counting-files.ts';
import { FLASH_CAUSES, type FlashCause, FlashLedger } from '../../status/flash-ledger.ts';

const SAVE_MS = 3_600_000;

/** The machine's files, counted by what the hub keeps in them. */
export function countHubWrites(
  { files, clock }: Pick<Machine, 'files' | 'clock'>,
  dataDir: string,
): CountingFiles<FlashCause> {
  const paths = hubPaths(dataDir);
  const folders: readonly (readonly [folder: string, cause: FlashCause])[] = [
    [`${paths.journal}/`, 'journal'],
    [`${paths.uplink}/`, 'spool'],
    [`${paths.syncLog}/`, 'log'],
    [`${paths.audit}/`, 'log'],
    [`${paths.assets}/`, 'assets'],
    [paths.snapshot, 'store'],
  ];
  const causeOf = (path: string): FlashCause =>
    folders.find(([folder]) => path.startsWith(folder))?.[1] ?? 'other';
  return countWrites(files, FLASH_CAUSES, causeOf, clock);
}

interface FlashParts {
  readonly machine: Machine;
  readonly paths: HubPaths;
  readonly written: CountingFiles<FlashCause>['writtenBytes'];
  readonly broker: Pick<Broker, 'stat'>;
  readonly store: Pick<HubStore, 'writtenBytes'>;
  readonly closers: Closers;
}

/** Opens the ledger; its days are kept every hour and at the end. */
export function openFlashLedger(parts: FlashParts): FlashLedger {
  const { machine, paths, written, broker, store, closers } = parts;
  const { host, timers, clock, files } = machine;
  const ledger = new FlashLedger({
    files,
    path: paths.flash,
    clock,
    counts: () => ({
      // SQLite writes past our files; what it gives to the file system it counts itself.
      bytesByCause: { ...written, store: written.store + store.writtenBytes },
      systemBytes: host.processFigures()?.writtenBytes,
      receivedBytes: broker.stat().bytesIn,
    }),
  });
  const stop = timers.every(SAVE_MS, () => ledger.save());
  closers.add({
    close: () => {
      stop();
      ledger.save();
    },
  });
  return ledger;
}
