/** The hub's journal, opened as the configuration says: by the hub, and by commands while none runs. */
import type { Config } from './config-schema.ts';
import type { HubPaths } from './hub-data.ts';
import { Journal } from './journal/journal.ts';
import { PLAIN_SEALER } from './journal/sealer.ts';
import type { Machine } from './machine.ts';

const MIB = 1 << 20;

export function openJournal(
  config: Config,
  machine: Pick<Machine, 'files' | 'timers' | 'log' | 'random'>,
  paths: HubPaths,
): Promise<Journal> {
  const { segmentMib, totalMibMax, freeMibMin } = config.journal;
  const { files, timers, log, random } = machine;
  return Journal.open({
    files,
    timers,
    log,
    random,
    dir: paths.journal,
    sealer: PLAIN_SEALER,
    segmentBytes: segmentMib * MIB,
    totalBytesMax: totalMibMax * MIB,
    freeBytesMin: freeMibMin * MIB,
  });
}
