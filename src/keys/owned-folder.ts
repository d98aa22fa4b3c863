/**
 * Whose a folder of data is. The key is the node; the id in a file that lies with the data says of which node they are. Only a
 * folder that holds no data yet gets a new key by itself: a node whose key was lost, or restored from another one,
 * would be a stranger with a memory, and that is for a person to decide (`takeNewOwner`).
 *
 * Data of a version that did not write the id are those of the node whose key is there.
 */
import { utf8 } from '../base/bytes.ts';
import { type FaultCode, HubError, messageOf, systemCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { type Files, textIn } from '../platform/files/files.ts';
import { Identity } from './identity.ts';

export interface OwnedFolder {
  /** File of the key. */
  readonly identity: string;
  /** File of the id. */
  readonly owner: string;
  /** What the node is, in words. */
  readonly what: 'hub' | 'region';
  /** What is wrong without the key, and with another one's. */
  readonly faults: { readonly lost: FaultCode; readonly foreign: FaultCode };
  /** Whether a node has left anything here that is its alone. */
  readonly hasData: (files: Pick<Files, 'list' | 'exists'>) => boolean;
  /** Whether there is something that the id may be noted of. */
  readonly mayNote: (files: Pick<Files, 'list' | 'exists'>) => boolean;
}

export interface OwnerMachine {
  readonly files: Files;
  readonly random: Random;
  readonly log: Log;
}

export interface NewIdentity {
  readonly id: string;
  readonly formerly: string | undefined;
}

const ID = /^[0-9a-f]{16}$/;
/** There is a key, and nothing yet that is the node's. */
const NOBODY = utf8('\n');

/** Reads the key, or makes the first one. Throws the folder's faults or `keys.damaged`, having written nothing. */
export function openOwner(folder: OwnedFolder, machine: OwnerMachine): Identity {
  const identity = readOwner(folder, machine) ?? makeFirst(folder, machine);
  noteOnce(folder, machine, identity);
  return identity;
}

/** Notes whose the data are, where that is not noted yet and there is something to note it of. */
export function noteOnce(
  folder: OwnedFolder,
  { files, log }: Pick<OwnerMachine, 'files' | 'log'>,
  identity: Pick<Identity, 'id'>,
): void {
  if (ownerOf(folder, files) !== undefined || !folder.mayNote(files)) return;
  try {
    noteOwner(folder, files, identity);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    // A full disk stops no node; the next start tries again.
    log.warn('identity.unnoted', { path: folder.owner, reason: messageOf(error) });
  }
}

/** The file of the id comes first, still empty: a key without it was brought from elsewhere. */
function makeFirst(
  { identity: path, owner }: OwnedFolder,
  { files, random }: OwnerMachine,
): Identity {
  if (!files.exists(owner)) files.replace(owner, NOBODY);
  return Identity.open({ files, path, random });
}

/** The key that is there; undefined where the first start makes one. Throws as `openOwner`, and never writes. */
export function readOwner(
  folder: OwnedFolder,
  { files, random }: Pick<OwnerMachine, 'files' | 'random'>,
): Identity | undefined {
  const { identity: path, what, faults } = folder;
  const owner = ownerOf(folder, files);
  if (!files.exists(path)) {
    if (owner === undefined && !folder.hasData(files)) return undefined;
    const whose = owner === undefined ? `a ${what} that had one` : `${what} ${owner}`;
    throw new HubError(faults.lost, `${path} is not there, and the data here are of ${whose}`);
  }
  const identity = Identity.open({ files, path, random });
  if (owner !== undefined) checkOwner(folder, identity, owner);
  return identity;
}

/** Throws the folder's fault where the key is not that of the node whose data lie here. */
export function checkOwner(
  { identity: path, what, faults }: OwnedFolder,
  { id }: Pick<Identity, 'id'>,
  owner: string,
): void {
  if (id === owner) return;
  const clash = `${path} is the key of ${what} ${id}, the data here are of ${what} ${owner}`;
  throw new HubError(faults.foreign, clash);
}

/**
 * Makes the data those of a new node, because nobody has the key to them any more; or, as `isOver` says, because the node that
 * they are of cannot go on. The key that was there is kept aside. Undefined where neither holds: then nothing is changed. Who is
 * broken off in the midst of it does it again. `noteFormer` is called before anything changes.
 */
export function takeNewOwner(
  folder: OwnedFolder,
  machine: OwnerMachine,
  isOver = false,
  noteFormer: (id: string) => void = () => undefined,
): NewIdentity | undefined {
  const { files, random } = machine;
  const path = folder.identity;
  const formerly = ownerOf(folder, files);
  try {
    openOwner(folder, machine);
    if (!isOver) return undefined;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
  if (formerly !== undefined) noteFormer(formerly);
  // Until the note is replaced a start says what is missing, as before.
  if (files.exists(path)) files.rename(path, unusedName(files, `${path}.aside`));
  const identity = Identity.open({ files, path, random });
  if (folder.mayNote(files)) noteOwner(folder, files, identity);
  else files.replace(folder.owner, NOBODY);
  return { id: identity.id, formerly };
}

/** The id that was noted; undefined where it is not there, or not to be read. */
export function ownerOf(
  { owner }: Pick<OwnedFolder, 'owner'>,
  files: Pick<Files, 'read'>,
): string | undefined {
  const text = textIn(files, owner);
  return ID.test(text) ? text : undefined;
}

function noteOwner({ owner }: OwnedFolder, files: Files, { id }: Pick<Identity, 'id'>): void {
  files.replace(owner, utf8(`${id}\n`));
}

function unusedName(files: Files, name: string, count = 1): string {
  const numbered = `${name}-${count}`;
  return files.exists(numbered) ? unusedName(files, name, count + 1) : numbered;
}
