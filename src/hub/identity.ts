/**
 * Whose the data directory of a hub is (keys/owned-folder.ts): the key in `keys/hub.pem` is the hub, the id in `hub.id` says
 * of which hub the data are.
 */
import type { FaultCode } from '../base/errors.ts';
import type { Identity } from '../keys/identity.ts';
import {
  checkOwner as checkFolder,
  type NewIdentity,
  openOwner,
  type OwnedFolder,
  ownerOf as ownerOfFolder,
  readOwner,
  takeNewOwner,
} from '../keys/owned-folder.ts';
import type { Machine } from '../machine.ts';
import type { Files } from '../platform/files/files.ts';
import type { HubPaths } from './data.ts';
import { forgetFolder } from './folders.ts';
import { forgetPlaces } from './storage/journal-places.ts';

type IdentityMachine = Pick<Machine, 'files' | 'random' | 'log'>;
export type KeyFault = (typeof KEY_FAULTS)[number];

/** Faults of the identity key with which no hub starts. */
const KEY_FAULTS = ['keys.lost', 'keys.foreign', 'keys.damaged'] as const;

function folderOf(paths: HubPaths): OwnedFolder {
  return {
    identity: paths.identity,
    owner: paths.owner,
    what: 'hub',
    faults: { lost: 'keys.lost', foreign: 'keys.foreign' },
    hasData: (files) => hasData(paths, files),
  };
}

/** Reads the key of the hub, or makes the first one. Throws `keys.lost`, `keys.foreign` or `keys.damaged`, having written nothing. */
export function openIdentity(paths: HubPaths, machine: IdentityMachine): Identity {
  return openOwner(folderOf(paths), machine);
}

/** The key that is there; undefined where the first start makes one. Throws as `openIdentity`, and never writes. */
export function readIdentity(
  paths: HubPaths,
  machine: Pick<IdentityMachine, 'files' | 'random'>,
): Identity | undefined {
  return readOwner(folderOf(paths), machine);
}

/** Throws `keys.foreign` where the key is not that of the hub whose data lie here. */
export function checkOwner(paths: HubPaths, identity: Pick<Identity, 'id'>, owner: string): void {
  checkFolder(folderOf(paths), identity, owner);
}

/**
 * Makes the data those of a new hub, because nobody has the key to them any more (keys/owned-folder.ts), or because the
 * journal is lost that says which numbers the old one has given (storage/lost-journal.ts).
 */
export function takeNewIdentity(
  paths: HubPaths,
  machine: IdentityMachine,
  isJournalLost: boolean,
): NewIdentity | undefined {
  if (isJournalLost) forgetPlaces(paths, machine.files);
  const taken = takeNewOwner(folderOf(paths), machine, isJournalLost);
  if (taken !== undefined && isJournalLost) forgetFolder(paths, 'journal', machine.files);
  return taken;
}

export function isKeyFault(code: FaultCode): code is KeyFault {
  return KEY_FAULTS.some((fault) => fault === code);
}

/** The id in `hub.id`; undefined where it is not there, or not to be read. */
export function ownerOf(
  paths: Pick<HubPaths, 'owner'>,
  files: Pick<Files, 'read'>,
): string | undefined {
  return ownerOfFolder(paths, files);
}

/** Whether a hub has left anything here that is its alone. */
function hasData(
  { journal, epochKeys, state, snapshot }: HubPaths,
  files: Pick<Files, 'list' | 'exists'>,
): boolean {
  const holds = (dir: string, ending: string): boolean =>
    files.list(dir).some((name) => name.endsWith(ending));
  return (
    holds(journal, '.segment') ||
    holds(epochKeys, '.key') ||
    files.exists(state) ||
    files.exists(snapshot)
  );
}
