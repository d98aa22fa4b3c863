/**
 * Whose the data of a regional node are (keys/owned-folder.ts): hubs have pinned its key, receipts and history bear its
 * signature. `region.id` lies with the data and says which key that is. What a fleet shares lies in its database, which
 * knows the key by itself (regional/postgres/schema/migrations.ts).
 */
import type { Config } from '../config/schema.ts';
import type { Identity } from '../keys/identity.ts';
import { nodeAwayFault, noteNode } from '../hub/data/data-note.ts';
import type { Files } from '../platform/files/files.ts';
import {
  type NewIdentity,
  openOwner,
  ownerOf,
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

/** Throws `data.away` where the region that `data_note` names is not in its folder. Writes nothing. */
export function checkRegionIsHere(
  config: Config,
  dir: string,
  files: Pick<Files, 'list' | 'read' | 'exists'>,
): void {
  const away = nodeAwayFault('region', placeOf(config, dir), files, (noted) => {
    const folder = folderOf(config, dir);
    const owner = ownerOf(folder, files);
    if (owner === undefined) return folder.hasData(files) ? undefined : 'no data of a region';
    return owner === noted ? undefined : `data of region ${owner}`;
  });
  if (away !== undefined) throw away;
}

function placeOf({ dataNote }: Config, dir: string): { dir: string; note: string } {
  return { dir, note: dataNote };
}

/** Reads the key, or makes the first one. Throws `region.key-lost`, `region.key-foreign` or `keys.damaged`, having written nothing. */
export function openRegionIdentity(config: Config, dir: string, machine: OwnerMachine): Identity {
  const identity = openOwner(folderOf(config, dir), machine);
  noteNode(placeOf(config, dir), identity.id, machine);
  return identity;
}

/** Gives the data a new key, because nobody has theirs any more; undefined where they belong together. */
export function takeNewRegionIdentity(
  config: Config,
  dir: string,
  machine: OwnerMachine,
): NewIdentity | undefined {
  const taken = takeNewOwner(folderOf(config, dir), machine);
  if (taken !== undefined) noteNode(placeOf(config, dir), taken.id, machine);
  return taken;
}
