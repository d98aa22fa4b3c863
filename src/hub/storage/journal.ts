/**
 * The hub's journal, opened as the configuration says, by the hub and by commands while none runs; and the keys that
 * open its seals, for commands that only look.
 */
import { HubError } from '../../base/errors.ts';
import type { Config } from '../../config/schema.ts';
import type { HubPaths } from '../data/data.ts';
import { noteFolder } from '../data/folders.ts';
import { Journal } from '../../journal/journal.ts';
import type { Sealer, Unsealer } from '../../journal/sealer.ts';
import { EpochKeys } from '../../keys/epochs.ts';
import { JournalSealer, SealOpener } from '../../keys/journal-sealer.ts';
import { findKeks, type KekPlace, type KeyOpener, openKeks } from '../../keys/key-encryption.ts';
import { x25519PublicKeyOf } from '../../keys/wrapping.ts';
import type { Machine } from '../../machine.ts';
import { checkJournalIsThere } from './lost-journal.ts';

const MIB = 1 << 20;

type JournalMachine = Pick<Machine, 'files' | 'timers' | 'log' | 'random' | 'clock' | 'env'>;
type KeyPaths = Pick<HubPaths, 'kek' | 'epochKeys'>;

/**
 * Throws as `Journal.open`, and `journal.lost` where the folder is gone. For a hub that `isNew` over the same data, the end of the
 * journal may be lost.
 */
export async function openJournal(
  config: Config,
  machine: JournalMachine,
  paths: HubPaths,
  isNew = false,
): Promise<Journal> {
  const { segmentMib, totalMibMax, freeMibMin } = config.journal;
  const { files, clock, timers, log, random } = machine;
  checkJournalIsThere(paths, files);
  const journal = await Journal.open({
    files,
    clock,
    timers,
    log,
    random,
    dir: paths.journal,
    sealer: openSealer(config.journal.escrowKey, machine, paths),
    segmentBytes: segmentMib * MIB,
    totalBytesMax: totalMibMax * MIB,
    freeBytesMin: freeMibMin * MIB,
    endsAnywhere: isNew,
  });
  if (journal.segmentStarts.length > 0) noteFolder(paths, 'journal', machine);
  return journal;
}

function openSealer(
  escrowKey: string,
  { files, log, random, clock, env }: JournalMachine,
  paths: KeyPaths,
): Sealer {
  const keks = openKeks(kekPlace(files, env, paths), random);
  const keys = new EpochKeys({ files, log, dir: paths.epochKeys, openers: keks });
  const escrow = escrowKey === '' ? undefined : x25519PublicKeyOf(escrowKey);
  if (escrow === undefined && escrowKey !== '') {
    throw new HubError('config.invalid', 'journal.escrow_key is not an X25519 public key');
  }
  return new JournalSealer({ keys, clock, random, kek: keks[0], escrowKey: escrow });
}

/** Opens seals with the hub's keys that are there, and with the operator's where that is given. Makes nothing. */
export function openUnsealer(
  { files, log, env }: Pick<JournalMachine, 'files' | 'log' | 'env'>,
  paths: KeyPaths,
  operator?: KeyOpener,
): Unsealer {
  const keks = findKeks(kekPlace(files, env, paths));
  const openers = operator === undefined ? keks : [operator, ...keks];
  return new SealOpener(new EpochKeys({ files, log, dir: paths.epochKeys, openers }));
}

/** systemd hands the credential over in a file (`LoadCredentialEncrypted=hub-kek`). */
function kekPlace(files: Machine['files'], env: Machine['env'], { kek }: KeyPaths): KekPlace {
  const directory = env['CREDENTIALS_DIRECTORY'];
  const credentialPath = directory === undefined ? undefined : `${directory}/hub-kek`;
  return { files, path: kek, credentialPath };
}
