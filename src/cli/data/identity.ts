/** `heliograph identity new`: a new hub, or region, over the data of one whose key nobody has any more, or a hub's whose journal is lost. */
import { HubError } from '../../base/errors.ts';
import { createLog } from '../../base/log.ts';
import { Closers } from '../../closers.ts';
import type { Config } from '../../config/schema.ts';
import { isDataDirectory, regionalDir, takeDataDirectory } from '../../hub/data/data.ts';
import { takeNewIdentity } from '../../hub/data/identity.ts';
import { lostJournal } from '../../hub/storage/lost-journal.ts';
import type { NewIdentity, OwnerMachine } from '../../keys/owned-folder.ts';
import { takeNewRegionIdentity } from '../../region/identity.ts';
import { type Args, UsageError } from '../args.ts';
import { configOf } from '../config-options.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';

interface Kind {
  readonly what: string;
  readonly dir: string;
  readonly take: (machine: OwnerMachine, closers: Closers) => Taken | undefined;
}

interface Taken extends NewIdentity {
  /** What it keeps, of whom it has been said, and what comes next. */
  readonly keeps: (whose: string) => string;
}

export async function newIdentityCommand(args: Args, io: CliIo): Promise<void> {
  const config = configOf(args, io);
  const { what, dir, take } = args.has('regional') ? regionIn(config) : hubIn(config);
  const { files, random } = io;
  if (!isDataDirectory(dir, files)) {
    throw new HubError('data.unreadable', `${dir} is not the data directory of a ${what}`);
  }
  const log = createLog(io.clock, 'warn', (line) => io.stderr(`${line}\n`));
  const closers = new Closers();
  try {
    const taken = take({ files, random, log }, closers);
    if (taken === undefined) {
      throw new UsageError(`The key of the ${what} belongs to the data in ${dir}: nothing to do.`);
    }
    const { id, formerly, keeps } = taken;
    print(args, io, { id, formerly: formerly ?? null }, () => [id]);
    const whose = formerly === undefined ? `the ${what} before it` : `${what} ${formerly}`;
    io.stderr(`This is ${what} ${id} now. It keeps ${keeps(whose)}\n`);
  } finally {
    await closers.close();
  }
}

const TRUST_ANEW =
  'Hubs send it nothing until `uplink/region.pub` of each is deleted: then they trust the new key.';

function hubIn({ data: dir, security, store }: Config): Kind {
  const enrol = security.mode === 'enrolled' ? ' The site does not know it: enrol it anew.' : '';
  return {
    what: 'hub',
    dir,
    take: (machine, closers) => {
      const paths = takeDataDirectory(dir, machine.files, closers);
      const { readingsDays } = store;
      const isJournalLost = lostJournal(paths, { ...machine, readingsDays }) !== undefined;
      const taken = takeNewIdentity(paths, machine, isJournalLost);
      if (taken === undefined) return undefined;
      const what = (whose: string): string =>
        isJournalLost
          ? `the state of ${whose}, without its journal: what that had not sent is not sent any more`
          : `the data of ${whose} and sends what waits`;
      const next = `Start it, and see \`heliograph doctor\`.${enrol}`;
      return { ...taken, keeps: (whose) => `${what(whose)}.\n${next}` };
    },
  };
}

function regionIn(config: Config): Kind {
  const dir = regionalDir(config.data);
  return {
    what: 'region',
    dir,
    take: (machine, closers) => {
      takeDataDirectory(dir, machine.files, closers);
      const taken = takeNewRegionIdentity(config, dir, machine);
      if (taken === undefined) return undefined;
      return { ...taken, keeps: (whose) => `the data of ${whose}.\n${TRUST_ANEW}` };
    },
  };
}
