/**
 * Whose the data directory of a hub is (keys/owned-folder.ts): the key in `keys/hub.pem` is the hub, the id in `hub.id` says
 * of which hub the data are.
 */
import { linesOf, utf8 } from '../../base/bytes.ts';
import { type FaultCode, HubError } from '../../base/errors.ts';
import type { Identity } from '../../keys/identity.ts';
import {
  checkOwner as checkFolder,
  type NewIdentity,
  noteOnce,
  openOwner,
  type OwnedFolder,
  ownerOf as ownerOfFolder,
  readOwner,
  takeNewOwner,
} from '../../keys/owned-folder.ts';
import type { Machine } from '../../machine.ts';
import { type Origin, originOfText } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';
import type { HubPaths } from './data.ts';
import { forgetFolder } from './folders.ts';
import { forgetPlaces } from '../storage/journal-places.ts';

export type IdentityPaths = Pick<
  HubPaths,
  'owner' | 'identity' | 'journal' | 'epochKeys' | 'state' | 'snapshot'
>;
type IdentityMachine = Pick<Machine, 'files' | 'random' | 'log'>;
export type KeyFault = (typeof KEY_FAULTS)[number];

/** Faults of the identity key with which no hub starts. */
const KEY_FAULTS = ['keys.lost', 'keys.foreign', 'keys.damaged'] as const;
const FORMER_MAX = 16;

function folderOf(paths: HubPaths): OwnedFolder {
  return {
    identity: paths.identity,
    owner: paths.owner,
    what: 'hub',
    faults: { lost: 'keys.lost', foreign: 'keys.foreign' },
    mayNote: (files) => hasJournalOrState(paths, files),
    hasData: (files) => hasJournalOrState(paths, files) || holds(paths.epochKeys, '.key', files),
  };
}

/**
 * Reads the key of the hub, or makes the first one. Throws `keys.lost`, `keys.foreign`, `keys.damaged` or `journal.lost`, having
 * written nothing.
 */
export function openIdentity(paths: HubPaths, machine: IdentityMachine): Identity {
  checkKeyIsNotAlone(paths, machine.files);
  return openOwner(folderOf(paths), machine);
}

/** Says whose the data are from the moment when there are some. */
export function noteIdentity(
  paths: HubPaths,
  machine: Pick<IdentityMachine, 'files' | 'log'>,
  identity: Pick<Identity, 'id'>,
): void {
  noteOnce(folderOf(paths), machine, identity);
}

/**
 * Throws `journal.lost` where nothing is here of a hub but its keys, with or without its id, as from a backup of these: its numbers
 * would begin at 1 again. A first start makes the file of the id before the key, and writes the id when there is a journal.
 */
export function checkKeyIsNotAlone(
  paths: IdentityPaths,
  files: Pick<Files, 'exists' | 'list' | 'read'>,
): void {
  const { identity: path, owner } = paths;
  const isFirstStart = files.exists(owner) && ownerOf(paths, files) === undefined;
  if (!files.exists(path) || isFirstStart || hasJournalOrState(paths, files)) return;
  throw new HubError('journal.lost', `${path} is here, and nothing of what its hub has done`);
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
  const { files } = machine;
  if (isJournalLost) forgetPlaces(paths, files);
  const taken = takeNewOwner(folderOf(paths), machine, isJournalLost, (formerly) => {
    const others: readonly string[] = formerHubs(paths, files).filter((id) => id !== formerly);
    const former = [...others, formerly].slice(-FORMER_MAX);
    files.replace(paths.formerly, utf8(former.map((id) => `${id}\n`).join('')));
  });
  if (taken !== undefined && isJournalLost) forgetFolder(paths, 'journal', files);
  return taken;
}

/** Hubs whose data these were, a line each in the file `formerly`: what the hub makes is later than what they made. */
export function formerHubs(
  { formerly }: Pick<HubPaths, 'formerly'>,
  files: Pick<Files, 'read'>,
): readonly Origin[] {
  return linesOf(files.read(formerly)).flatMap((line) => originOfText(line) ?? []);
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

/** Whether anything here says what a hub has done. */
export function hasJournalOrState(
  { journal, state, snapshot }: Pick<HubPaths, 'journal' | 'state' | 'snapshot'>,
  files: Pick<Files, 'list' | 'exists'>,
): boolean {
  return holds(journal, '.segment', files) || files.exists(state) || files.exists(snapshot);
}

function holds(dir: string, ending: string, files: Pick<Files, 'list'>): boolean {
  return files.list(dir).some((name) => name.endsWith(ending));
}
