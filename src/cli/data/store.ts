/**
 * `heliograph store …`: the folded state. A running hub or regional node is asked; of one that stands still the
 * files are opened under its lock, as it would open them itself, a hub's journal first.
 */
import { Closers } from '../../closers.ts';
import { HubError } from '../../base/errors.ts';
import { createLog } from '../../base/log.ts';
import { isSiteName } from '../../batch/wire/topics.ts';
import type { Config } from '../../config/schema.ts';
import {
  type HubPaths,
  isDataDirectory,
  regionalDir,
  takeDataDirectory,
} from '../../hub/data/data.ts';
import { openIdentity } from '../../hub/data/identity.ts';
import { openJournal } from '../../hub/storage/journal.ts';
import { HubStore } from '../../hub/storage/store.ts';
import type { Journal } from '../../journal/journal.ts';
import { type Machine, thisMachine } from '../../machine.ts';
import type { StateDigest } from '../../store/state/state-digest.ts';
import { SqliteFile } from '../../store/database/sqlite.ts';
import { asideOf } from '../../store/put-aside.ts';
import { Store } from '../../store/store.ts';
import { type Args, UsageError } from '../args.ts';
import { configOf } from '../config-options.ts';
import { HubApi, runtimeOf } from '../asking/hub-api.ts';
import { type CliIo, EXIT, type ExitCode } from '../io.ts';
import { print } from '../print.ts';

export async function showDigest(args: Args, io: CliIo): Promise<void> {
  printDigest(await findDigest(args, io), args, io);
}

function findDigest(args: Args, io: CliIo): Promise<StateDigest> {
  if (args.has('url')) return ask(HubApi.of(args, io), args.text('site'));
  const config = configOf(args, io);
  if (config.regional.database !== '' && args.has('site')) {
    return databaseDigest(args.text('site') ?? '', config, io);
  }
  const site = args.text('site') ?? onlySite(config.data, machineFor(io).files);
  const here = site === undefined ? config.data : regionalDir(config.data);
  const openFiles =
    site === undefined
      ? () => withFiles(config, io, foldedDigest)
      : () => siteDigest(here, site, config, io);
  return openOrAsk(openFiles, () => ask(nodeAt(here, args, io), site));
}

/** Of a data directory that is a regional node's alone, and knows one site: that site. */
function onlySite(data: string, files: Machine['files']): string | undefined {
  const region = regionalDir(data);
  if (files.exists(`${data}/layout`) || !files.exists(`${region}/layout`)) return undefined;
  const sites = files.exists(`${region}/sites`) ? files.list(`${region}/sites`) : [];
  if (sites.length === 1) return sites[0];
  const known = sites.join(', ') || 'none yet';
  throw new UsageError(
    `${region} is a regional node's: name one of its sites by --site; it holds: ${known}`,
  );
}

/** Files that a running node holds are its own: then it is asked. */
async function openOrAsk<T>(openFiles: () => Promise<T>, askNode: () => Promise<T>): Promise<T> {
  try {
    return await openFiles();
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'data.locked') throw error;
    return askNode();
  }
}

function nodeAt(dir: string, args: Args, io: CliIo): HubApi {
  const address = runtimeOf(dir, io)?.http;
  return address === undefined ? HubApi.of(args, io) : new HubApi(address, args, io);
}

async function ask(api: HubApi, site: string | undefined): Promise<StateDigest> {
  const query = site === undefined ? '' : `?site=${encodeURIComponent(site)}`;
  return (await api.json(`/api/v1/digest${query}`)) as StateDigest;
}

/**
 * Folds the state anew beside the old one, and takes its place only where both say the same: ops that the
 * journal has lost to damage may live on in the old one.
 */
export async function rebuildStore(args: Args, io: CliIo): Promise<ExitCode> {
  const config = configOf(args, io);
  return withFiles(config, io, async (files) => {
    const fresh = { ...files, paths: { ...files.paths, state: `${files.paths.state}.rebuilt` } };
    const remove = (path: string): void => Store.remove(files.machine.files, path);
    remove(fresh.paths.state);
    try {
      const rebuilt = await foldedDigest(fresh);
      const before = await digestBefore(files, io);
      if (before !== undefined && before.digest !== rebuilt.digest) {
        io.stderr(differenceText(before, rebuilt, files.paths.state));
        return EXIT.failed;
      }
      if (!keptOld(files, io)) return EXIT.failed;
      files.machine.files.rename(fresh.paths.state, files.paths.state);
      files.machine.files.syncDir(config.data);
      printDigest(rebuilt, args, io);
      return EXIT.done;
    } finally {
      remove(fresh.paths.state); // What was not taken only fills the disk.
    }
  });
}

/** Makes way for the rebuilt state; readings that have left the journal are in no snapshot, so the old one stays for them. */
function keptOld({ journal, machine: { files }, paths: { state } }: OpenFiles, io: CliIo): boolean {
  const old = asideOf(state, 'before');
  if (journal.firstLsn === 1) Store.remove(files, state);
  else if (files.exists(old)) {
    io.stderr(
      `Nothing was changed: ${old}, of an earlier rebuild, is still there. Move it away.\n`,
    );
    return false;
  } else if (files.exists(state)) {
    SqliteFile.rename(files, state, old);
    io.stderr(`Readings that have left the journal are in ${old} alone; else it can go.\n`);
  }
  return true;
}

function differenceText(before: StateDigest, rebuilt: StateDigest, path: string): string {
  return (
    `The journal gives another state (${rebuilt.ops} ops) than ${path} holds (${before.ops} ops).\n` +
    'Nothing was changed. `heliograph journal verify` tells whether ops were lost; ' +
    'to take what the journal gives, move the file elsewhere: readings that have left the journal are in it alone.\n'
  );
}

/** Of the database as it is; undefined where there is none that can be read. */
async function digestBefore(files: OpenFiles, io: CliIo): Promise<StateDigest | undefined> {
  if (!files.machine.files.exists(files.paths.state)) return undefined;
  try {
    return await foldedDigest(files);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    io.stderr(`${error.message} (${error.code})\n`);
    return undefined;
  }
}

/** Of one site of a regional node that does not run. */
async function siteDigest(
  dir: string,
  site: string,
  config: Config,
  io: CliIo,
): Promise<StateDigest> {
  const machine = machineFor(io);
  const path = `${dir}/sites/${site}/state.db`;
  if (!isSiteName(site) || !machine.files.exists(path)) {
    const known = machine.files.list(`${dir}/sites`).join(', ') || 'none';
    throw new UsageError(`${dir} holds no site ${site}; it holds: ${known}`);
  }
  const closers = new Closers();
  try {
    takeDataDirectory(dir, machine.files, closers);
    const { files, log } = machine;
    const { readingsDays } = config.store;
    const store = Store.open({ path, files, log, readingsDays, durability: 'each-commit' });
    closers.add(store);
    return store.digest();
  } finally {
    await closers.close();
  }
}

/** Of a site in PostgreSQL, whether workers run or not. */
async function databaseDigest(site: string, config: Config, io: CliIo): Promise<StateDigest> {
  const { openRegionDatabase } = await import('../../region/storage.ts');
  const { digestOfNamed } = await import('../../regional/postgres/folding/state-digest.ts');
  const database = await openRegionDatabase(config, machineFor(io));
  try {
    const digest = await digestOfNamed(database, site);
    if (digest === undefined) throw new UsageError(`the database holds no site ${site}`);
    return digest;
  } finally {
    await database.close();
  }
}

interface OpenFiles {
  readonly config: Config;
  readonly machine: Machine;
  readonly paths: HubPaths;
  readonly journal: Journal;
}

/** Opens lock and journal for as long as `use` runs. */
async function withFiles<T>(
  config: Config,
  io: CliIo,
  use: (files: OpenFiles) => Promise<T>,
): Promise<T> {
  const machine = machineFor(io);
  if (!isDataDirectory(config.data, machine.files)) {
    throw new HubError('data.unreadable', `${config.data} is not the data directory of a hub`);
  }
  const closers = new Closers();
  try {
    const paths = takeDataDirectory(config.data, machine.files, closers);
    const journal = closers.add(await openJournal(config, machine, paths));
    return await use({ config, machine, paths, journal });
  } finally {
    await closers.close();
  }
}

function machineFor(io: CliIo): Machine {
  const log = createLog(io.clock, 'warn', (line) => io.stderr(`${line}\n`));
  return thisMachine(io.env, log);
}

/** Opens the state, folds what the journal has beyond it, and closes it again. */
async function foldedDigest(opened: OpenFiles): Promise<StateDigest> {
  const { config, machine, paths, journal } = opened;
  const { clock } = machine;
  const signer = openIdentity(paths, machine);
  const store = HubStore.open({ config, machine, clock, paths, journal, signer });
  try {
    if (store.appliedLsn + 1 < journal.firstLsn) {
      const gap = `LSN ${store.appliedLsn + 1} to ${journal.firstLsn - 1}`;
      throw new HubError(
        'store.damaged',
        `${gap} have left the journal and cannot be folded again`,
      );
    }
    store.follow();
    return await store.digest();
  } finally {
    await store.close();
  }
}

function printDigest({ digest, ops, records }: StateDigest, args: Args, io: CliIo): void {
  print(args, io, { digest, ops, records }, () => [
    `digest   ${digest}`,
    `ops      ${ops}`,
    `records  ${records}`,
  ]);
}
