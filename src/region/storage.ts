/** The storage that the configuration names for a regional node: files and SQLite of its own, or PostgreSQL. */
import type { Closers } from '../closers.ts';
import type { Config } from '../config/schema.ts';
import { originOfPublicKey } from '../hashes.ts';
import type { Identity } from '../keys/identity.ts';
import type { Machine } from '../machine.ts';
import type { Database } from '../platform/network/postgres.ts';
import { folderOf } from '../platform/files/files.ts';
import { EmbeddedStorage } from '../regional/embedded/embedded-storage.ts';
import type { ContentDoor } from '../status/api/assets.ts';
import { RegionAssets } from './assets.ts';
import { doorOfContents } from './pg-assets.ts';
import type { RegionalNodeOptions } from '../regional/regional-node.ts';
import type { RegionStorage } from '../regional/site-storage.ts';
import type { SiteStore } from '../regional/embedded/site-store.ts';
import { readSecret } from '../security/secrets.ts';
import { SiteState } from './site-state.ts';

/** Two batches in the works, chunks that come meanwhile, and people who ask. */
const CONNECTIONS_MAX = 8;
const GROUP = 'heliograph';
/** As for batches (regional/limits.ts); the state of a site counts, too. */
const READINGS_BYTES_MAX = 4 * 2 ** 30;
const SWEEP_MS = 2_000;
const TAKES_AT_ONCE = 2;

interface OpenedStorage {
  readonly storage: RegionStorage;
  /** Undefined where the storage is embedded. */
  readonly database: Database | undefined;
  /** What it serves of assets. */
  readonly assets: ContentDoor;
}

export async function openStorage(
  config: Config,
  machine: Machine,
  dir: string,
  identity: Pick<Identity, 'publicKey'>,
  closers: Closers,
): Promise<OpenedStorage> {
  const { files, clock, timers, log } = machine;
  const { hubMibPerDay, siteMibPerDay, readingsDays, batchesDays } = config.regional;
  const limits = { hubMibPerDay, siteMibPerDay };
  if (config.regional.database === '') {
    const assets = new RegionAssets({ files, timers, log });
    const openStore = (path: string): SiteStore => {
      const state = SiteState.open({
        path,
        files,
        log,
        durability: 'each-commit',
        readingsDays,
        readingsBytesMax: READINGS_BYTES_MAX,
      });
      return assets.storing(state, folderOf(path));
    };
    const self = originOfPublicKey(identity.publicKey);
    const parts = { files, dir, clock, timers, log, limits, openStore, self };
    const embedded = new EmbeddedStorage(parts);
    return { storage: closers.add(embedded), database: undefined, assets };
  }
  const database = await openRegionDatabase(config, machine);
  // Loaded when it is used: a node of its own needs none of it.
  const { PgStorage } = await import('../regional/postgres/pg-storage.ts');
  try {
    const storage = await PgStorage.open({
      database,
      publicKey: identity.publicKey,
      clock,
      timers,
      log,
      keepDays: { readings: readingsDays, batches: batchesDays },
      limits,
    });
    const assets = doorOfContents(storage.contents);
    return { storage: closers.add(storage), database, assets };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Connects when it is first asked. */
export async function openRegionDatabase(config: Config, machine: Machine): Promise<Database> {
  const { files, env, timers, random, log } = machine;
  const { database: url, databasePasswordFile } = config.regional;
  const key = 'regional.database_password_file';
  const credential = 'regional-database-password';
  const password = readSecret({ files, env, file: databasePasswordFile, credential, key });
  const { openDatabase } = await import('../platform/network/postgres.ts');
  return openDatabase({
    url,
    ...(password === undefined ? {} : { password }),
    connectionsMax: CONNECTIONS_MAX,
    timers,
    random,
    log,
  });
}

/** How workers share what hubs send: by the broker, where it is not the node's own. */
export function fleetTerms({ regional }: Config): NonNullable<RegionalNodeOptions['fleet']> {
  const group = regional.url === '' ? undefined : GROUP;
  return { group, sweepMs: SWEEP_MS, takesAtOnce: TAKES_AT_ONCE };
}
