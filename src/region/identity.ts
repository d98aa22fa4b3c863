/**
 * Whose the data of a regional node are (keys/owned-folder.ts): hubs have pinned its key, receipts and history bear its
 * signature. `region.id` lies with the data and says which key that is. What a fleet shares lies in its database, which
 * knows the key by itself (regional/postgres/schema/migrations.ts).
 */
import type { Config } from '../config/schema.ts';
import type { Identity } from '../keys/identity.ts';
import {
  type NewIdentity,
  openOwner,
  type OwnedFolder,
  type OwnerMachine,
  takeNewOwner,
} from '../keys/owned-folder.ts';

function folderOf(config: Config, dir: string): OwnedFolder {
  return {
    identity: config.regional.keyFile || `${dir}/keys/region.pem`,
    owner: `${dir}/region.id`,
    what: 'region',
    faults: { lost: 'region.key-lost', foreign: 'region.key-foreign' },
    mayNote: () => true,
    hasData: (files) => files.list(`${dir}/sites`).length > 0,
  };
}

/** Reads the key, or makes the first one. Throws `region.key-lost`, `region.key-foreign` or `keys.damaged`, having written nothing. */
export function openRegionIdentity(config: Config, dir: string, machine: OwnerMachine): Identity {
  return openOwner(folderOf(config, dir), machine);
}

/** Gives the data a new key, because nobody has theirs any more; undefined where they belong together. */
export function takeNewRegionIdentity(
  config: Config,
  dir: string,
  machine: OwnerMachine,
): NewIdentity | undefined {
  return takeNewOwner(folderOf(config, dir), machine);
}
