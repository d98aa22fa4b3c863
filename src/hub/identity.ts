/**
 * Whose a data directory is. The key in `keys/hub.pem` is the hub; the id in `hub.id`, which lies with the data, says of
 * which hub they are. Only a folder that holds no data yet gets a new key by itself: a hub whose key was lost, or
 * restored from another hub, would be a stranger with a memory, and that is for a person to decide (`takeNewIdentity`).
 *
 * Data of a version that did not write `hub.id` are those of the hub whose key is there.
 */
import { textOf, utf8 } from '../base/bytes.ts';
import { type FaultCode, HubError, messageOf, systemCode } from '../base/errors.ts';
import { Identity } from '../keys/identity.ts';
import type { Machine } from '../machine.ts';
import type { Files } from '../platform/files/files.ts';
import type { HubPaths } from './data.ts';

type IdentityMachine = Pick<Machine, 'files' | 'random' | 'log'>;
export type KeyFault = (typeof KEY_FAULTS)[number];

/** Faults of the identity key with which no hub starts. */
const KEY_FAULTS = ['keys.lost', 'keys.foreign', 'keys.damaged'] as const;

const ID = /^[0-9a-f]{16}$/;

/** Reads the key of the hub, or makes the first one. Throws `keys.lost`, `keys.foreign` or `keys.damaged`, having written nothing. */
export function openIdentity(paths: HubPaths, machine: IdentityMachine): Identity {
  const { files, random, log } = machine;
  const identity =
    readIdentity(paths, machine) ?? Identity.open({ files, path: paths.identity, random });
  if (ownerOf(paths, files) === undefined) {
    try {
      noteOwner(paths, files, identity);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      // A full disk stops no hub; the next start tries again.
      log.warn('identity.unnoted', { path: paths.owner, reason: messageOf(error) });
    }
  }
  return identity;
}

/** The key that is there; undefined where the first start makes one. Throws as `openIdentity`, and never writes. */
export function readIdentity(
  paths: HubPaths,
  { files, random }: Pick<IdentityMachine, 'files' | 'random'>,
): Identity | undefined {
  const path = paths.identity;
  const owner = ownerOf(paths, files);
  if (!files.exists(path)) {
    if (owner === undefined && !hasData(paths, files)) return undefined;
    const whose = owner === undefined ? 'a hub that had one' : `hub ${owner}`;
    throw new HubError('keys.lost', `${path} is not there, and the data here are of ${whose}`);
  }
  const identity = Identity.open({ files, path, random });
  if (owner !== undefined) checkOwner(path, identity, owner);
  return identity;
}

/** Throws `keys.foreign` where the key is not that of the hub whose data lie here. */
export function checkOwner(path: string, { id }: Pick<Identity, 'id'>, owner: string): void {
  if (id === owner) return;
  const clash = `${path} is the key of hub ${id}, the data here are of hub ${owner}`;
  throw new HubError('keys.foreign', clash);
}

/**
 * Makes the data those of a new hub, because nobody has the key to them any more. A key that does not belong to them is
 * kept aside. Undefined where the key is the right one: then nothing is changed.
 */
export function takeNewIdentity(
  paths: HubPaths,
  machine: IdentityMachine,
): { readonly id: string; readonly formerly: string | undefined } | undefined {
  const { files, random } = machine;
  const path = paths.identity;
  const formerly = ownerOf(paths, files);
  try {
    openIdentity(paths, machine);
    return undefined;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
  // Until the note is replaced a start says what is missing, as before.
  if (files.exists(path)) files.rename(path, unusedName(files, `${path}.aside`));
  const identity = Identity.open({ files, path, random });
  noteOwner(paths, files, identity);
  return { id: identity.id, formerly };
}

export function isKeyFault(code: FaultCode): code is KeyFault {
  return KEY_FAULTS.some((fault) => fault === code);
}

/** The id in `hub.id`; undefined where it is not there, or not to be read. */
export function ownerOf(
  paths: Pick<HubPaths, 'owner'>,
  files: Pick<Files, 'read'>,
): string | undefined {
  const text = textOf(files.read(paths.owner) ?? new Uint8Array(0))?.trim() ?? '';
  return ID.test(text) ? text : undefined;
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

function noteOwner({ owner }: HubPaths, files: Files, { id }: Identity): void {
  files.replace(owner, utf8(`${id}\n`));
}

function unusedName(files: Files, name: string, count = 1): string {
  const numbered = `${name}-${count}`;
  return files.exists(numbered) ? unusedName(files, name, count + 1) : numbered;
}
