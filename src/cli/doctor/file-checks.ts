/**
 * Checks on the files of a data directory. Those of the first kind only read, whether a hub runs or not; those
 * of the second need the directory for themselves, and open the state database as the hub would.
 */
import { type FaultCode, HubError } from '../../base/errors.ts';
import { SILENT_LOG } from '../../base/log.ts';
import type { Config } from '../../config/schema.ts';
import { type HubPaths, runtimePath } from '../../hub/data/data.ts';
import { checkEnrolment } from '../../hub/data/folders.ts';
import {
  checkOwner,
  isKeyFault,
  type KeyFault,
  ownerOf,
  readIdentity,
} from '../../hub/data/identity.ts';
import { cutFaultIn, isCut } from '../../hub/storage/cut-journal.ts';
import { holesIn } from '../../hub/storage/hole-file.ts';
import { openUnsealer } from '../../hub/storage/journal.ts';
import { lostJournal } from '../../hub/storage/lost-journal.ts';
import { lackingText } from '../../hub/sync/holes.ts';
import { opsIn, type ToldHole } from '../../ingest/door/hole-book.ts';
import {
  dumpJournal,
  type FolderStat,
  type JournalDamage,
  statJournal,
  verifyJournal,
} from '../../journal/recovery/inspect.ts';
import type { Unsealer } from '../../journal/sealer.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import { decodeEntry } from '../../model/entry.ts';
import { textIn } from '../../platform/files/files.ts';
import { isOpenToOthers, keepPrivate } from '../../platform/files/permissions.ts';
import { readRosterFile, sitePaths } from '../../security/enrolment/site-folder.ts';
import { readUsers, usersPath } from '../../security/users.ts';
import { rangesText } from '../../status/lsn-ranges.ts';
import { forgottenFault, forgottenPath } from '../../uplink/waiting/forgotten.ts';
import type { CliIo } from '../io.ts';
import { bytesText, countText } from '../text.ts';
import { type Check, checked, note, ok, wrong, wrongByFault } from './check.ts';
import { diskCheck } from './hub-checks.ts';
import { asideChecks, snapshotCheck, storeCheck } from './store-checks.ts';

export interface FileFindings {
  readonly checks: readonly Check[];
  readonly damagedRanges: number;
  readonly quarantinedRanges: number;
  /** What devices and hubs have told this one lacks. */
  readonly lackedOps: number;
  /** Why no hub starts with what is here, or another one than before; and what one that ran has left word of. */
  readonly fileFaults: readonly FaultCode[];
}

/** Reading more than this byte by byte takes too long for a first look. */
const VERIFY_BYTES_MAX = 256 * 2 ** 20;
/** Oldest entries in which stamps of this hub are looked for. */
const ENTRIES_LOOKED_AT = 1_000;
const REGION_KEY = /^[0-9a-f]{64}$/;
const MIB = 1 << 20;

/** `isRunning`: a hub holds the directory; then nothing is opened for writing, and nothing offered to mend. */
export function fileChecks(
  io: CliIo,
  config: Config,
  paths: HubPaths,
  isRunning: boolean,
): FileFindings {
  const journal = journalFindings(io, paths);
  const key = keyFindings(io, config, paths, journal.stat);
  const told = holesIn(io.files.read(paths.holes));
  const lost = isRunning ? undefined : lostJournalOf(io, config, paths);
  // A hub that runs says so itself.
  const forgotten = isRunning
    ? undefined
    : forgottenFault(io.files.read(forgottenPath(paths.uplink)));
  const checks = [
    ...faultCheck('journal', lost),
    ...faultCheck('upstream', forgotten),
    ...privateChecks(io, config, paths),
    key.check,
    ...journal.checks,
    holesCheck(told),
    regionKeyCheck(io, paths),
    usersCheck(io, config),
    enrolmentCheck(io, config, paths),
    captureCheck(config),
  ];
  if (!isRunning) {
    const freeBytesMin = config.journal.freeMibMin * MIB;
    const beside = { journal: lost === undefined ? journal.stat : undefined, freeBytesMin };
    checks.push(
      checked('disk', () => diskCheck(io.files.freeBytes(config.data), freeBytesMin)),
      snapshotCheck(io, paths),
      storeCheck(io, config, paths, beside),
      ...asideChecks(io, paths),
      ...strayChecks(io, config, paths),
    );
  }
  const quarantinedRanges = journal.stat?.quarantined.length ?? 0;
  const lackedOps = opsIn(told.filter(({ isClosed }) => !isClosed));
  const { damagedRanges } = journal;
  const fileFaults = [key.fault, lost?.code, forgotten?.code].filter((code) => code !== undefined);
  return { checks, damagedRanges, quarantinedRanges, lackedOps, fileFaults };
}

function faultCheck(name: string, fault: HubError | undefined): Check[] {
  return fault === undefined ? [] : [wrongByFault(name, fault.code, fault.message)];
}

function holesCheck(told: readonly ToldHole[]): Check {
  const lacking = lackingText({ told });
  if (lacking !== undefined) return note('holes', lacking);
  const closed = opsIn(told);
  return ok('holes', closed === 0 ? 'none' : `closed: ${countText(closed, 'op')}`);
}

function journalFindings(
  io: CliIo,
  paths: HubPaths,
): { checks: Check[]; stat: FolderStat | undefined; damagedRanges: number } {
  const { files } = io;
  const dir = paths.journal;
  if (!files.exists(dir)) {
    return { checks: [note('journal files', 'none yet')], stat: undefined, damagedRanges: 0 };
  }
  let stat: FolderStat | undefined;
  let damagedRanges = 0;
  const check = checked('journal files', () => {
    stat = statJournal(files, dir);
    const { firstLsn, lastLsn, bytes, quarantined, healed } = stat;
    const range = lastLsn < firstLsn ? 'no entry' : `LSN ${firstLsn} to ${lastLsn}`;
    const found = `${range}, ${bytesText(bytes)}`;
    const usedBytes = stat.segments.reduce((sum, segment) => sum + segment.bytes, 0);
    if (usedBytes > VERIFY_BYTES_MAX) {
      return note(
        'journal files',
        `${found}; heads checked`,
        'For every byte: `heliograph journal verify`.',
      );
    }
    const { damages, sealsUnchecked } = verifyJournal(files, dir, unsealerOf(io, paths));
    const fresh = damages.filter((damage) => !isKnown(damage, [...quarantined, ...healed]));
    damagedRanges = fresh.length;
    if (fresh.length > 0) {
      return wrong(
        'journal files',
        `${found}; ${countText(fresh.length, 'damage')} not kept aside yet`,
      );
    }
    if (sealsUnchecked > 0) return unreadable(io, paths, found);
    if (quarantined.length === 0) {
      const again = healed.length > 0 ? `; ${countText(healed.length, 'damage')} healed` : '';
      return ok('journal files', `${found}, every byte checked${again}`);
    }
    const aside = rangesText(quarantined);
    return wrong('journal files', `${found}; damaged and kept aside: LSN ${aside}`);
  });
  return { checks: [check], stat, damagedRanges };
}

/** Without the file of its keys, or with another key to them, no hub starts; a credential of the unit is not seen from here. */
function unreadable({ files }: CliIo, { kek, epochKeys }: HubPaths, found: string): Check {
  const mayBeCredential = !files.exists(kek) && files.exists(epochKeys);
  const text = `${found}; every checksum is right, the keys to read it are not here`;
  if (mayBeCredential) {
    const hint = 'Run it with the credential hub-kek, or restore `keys` of the data directory.';
    return note('journal files', text, hint);
  }
  return wrong(
    'journal files',
    `${text}, and without them no hub starts`,
    'Restore `keys` of the data directory from a backup.',
  );
}

/** Damage that is kept aside already, or that cost nothing. */
function isKnown(
  { what, fromLsn, toLsn }: JournalDamage,
  quarantined: FolderStat['quarantined'],
): boolean {
  if (what === 'quarantined' || what === 'header-copy') return true;
  return quarantined.some((aside) => aside.fromLsn <= fromLsn && toLsn <= aside.toLsn);
}

function unsealerOf({ files, env }: CliIo, paths: HubPaths): Unsealer {
  return openUnsealer({ files, env, log: SILENT_LOG }, paths);
}

/** The key, and whether it is that of the hub whose data lie here. */
function keyFindings(
  io: CliIo,
  { data }: Config,
  paths: HubPaths,
  journal: FolderStat | undefined,
): { readonly check: Check; readonly fault: KeyFault | undefined } {
  const path = paths.identity;
  let fault: KeyFault | undefined;
  const check = checked('identity', () => {
    try {
      const identity = readIdentity(paths, io);
      if (identity === undefined)
        return note('identity', `${path} is not there; the next start makes a new hub`);
      if (ownerOf(paths, io.files) === undefined)
        checkOwner(paths, identity, foreignMaker(io, paths, journal, identity.id) ?? identity.id);
      return ok('identity', `hub ${identity.id}`);
    } catch (error) {
      if (isCut(error, data, io.files)) {
        const end = 'the hub of these data has ended; the next start makes the new one';
        return note('identity', `${end} (${error.message})`);
      }
      if (error instanceof HubError && isKeyFault(error.code)) fault = error.code;
      throw error;
    }
  });
  return { check, fault };
}

/**
 * Where the data do not say whose they are: id of the hub that stamped the oldest op, if this one has stamped none of the
 * oldest. (Ops of other hubs of the site bear their stamps here as well.)
 */
function foreignMaker(
  io: CliIo,
  paths: HubPaths,
  journal: FolderStat | undefined,
  id: string,
): string | undefined {
  if (journal === undefined) return undefined;
  const { firstLsn } = journal;
  let oldest: string | undefined;
  try {
    for (const item of dumpJournal(io.files, paths.journal, unsealerOf(io, paths), firstLsn)) {
      if (item.kind !== 'entry') continue;
      const entry = decodeEntry(item.entry);
      if (entry.type === 'op') {
        if (entry.stamped.stamp.hub === id) return undefined;
        oldest ??= entry.stamped.stamp.hub;
      }
      if (item.lsn - firstLsn > ENTRIES_LOOKED_AT) break;
    }
  } catch {
    return undefined; // What cannot be read is the journal check's to tell.
  }
  return oldest;
}

/** Files that nobody but the hub's user may read. */
function privateChecks({ files }: CliIo, { data }: Config, { identity, kek }: HubPaths): Check[] {
  const { authorityKey, caKey, hubKey, tokens } = sitePaths(data);
  const secrets = [identity, kek, usersPath(data), authorityKey, caKey, hubKey, tokens].filter(
    (path) => files.exists(path),
  );
  const open = secrets.filter((path) => isOpenToOthers(path) === true);
  if (open.length === 0) return [ok('rights', 'secrets are for the hub alone')];
  return open.map((path) => ({
    ...wrong('rights', `others may read ${path}`, `chmod 600 ${path}`),
    fix: () => {
      keepPrivate(path);
      return `closed ${path} to others`;
    },
  }));
}

function regionKeyCheck({ files }: CliIo, { uplink }: HubPaths): Check {
  const path = `${uplink}/region.pub`;
  const text = textIn(files, path);
  if (text === '')
    return ok('region key', 'none yet: the first regional node that answers is trusted');
  if (REGION_KEY.test(text)) return ok('region key', `${text.slice(0, 16)}…`);
  return wrong(
    'region key',
    `${path} does not hold a key`,
    'Delete it if the regional node is the right one; the next session trusts its key.',
  );
}

/** One rule for alarms is easily written without a thought of all else. */
function captureCheck({ capture }: Config): Check {
  if (capture.length === 0) return ok('capture', 'all publishes of QoS 1 and 2, as telemetry');
  const found = countText(capture.length, 'rule');
  return capture.some(({ filter }) => filter === '#')
    ? ok('capture', found)
    : note(
        'capture',
        `${found}: what none of them matches is acknowledged and not kept`,
        'To keep the rest as telemetry, add a last [[capture]] with filter = "#".',
      );
}

/** Who may come in. */
function usersCheck({ files }: CliIo, { data, security }: Config): Check {
  if (security.mode === 'open') {
    const lan = security.allowOpenLan ? ', also from the network' : ' on this machine';
    const found = `mode open: anyone${lan}`;
    return security.allowOpenLan
      ? note('users', found, 'Set security.mode = "password" and add users.')
      : ok('users', found);
  }
  if (security.mode === 'enrolled') {
    return checked('users', () => {
      const size = readRosterFile(files, sitePaths(data), verifyEd25519)?.memberByName.size ?? 0;
      const members = size === 0 ? 'no member yet' : countText(size, 'member');
      return ok('users', `mode enrolled: ${members}`);
    });
  }
  return checked('users', () => {
    const { size } = readUsers(files, data);
    return size > 0
      ? ok('users', countText(size, 'user'))
      : wrong('users', 'mode password, and no user', 'heliograph user add NAME --role operator');
  });
}

/** What is wrong with the journal, or was, until somebody has seen it. */
function lostJournalOf(io: CliIo, { store }: Config, paths: HubPaths): HubError | undefined {
  const { files } = io;
  const options = { files, log: SILENT_LOG, readingsDays: store.readingsDays };
  return lostJournal(paths, options) ?? cutFaultIn(paths, files)();
}

function enrolmentCheck({ files }: CliIo, { data }: Config, paths: HubPaths): Check {
  return checked('enrolment', () => {
    const { anchor } = sitePaths(data);
    checkEnrolment(paths, anchor, files);
    return ok('enrolment', files.exists(anchor) ? 'belongs to a site' : 'none');
  });
}

/** What a crash leaves behind: half of a file that was to be replaced, the address of a hub that is gone. */
function strayChecks({ files }: CliIo, { data }: Config, paths: HubPaths): Check[] {
  const folders = [data, `${data}/keys`, paths.syncLog, paths.uplink, `${paths.uplink}/spool`];
  const strays = folders
    .flatMap((dir) => files.list(dir).map((name) => ({ dir, name })))
    .filter(({ name }) => name.endsWith('.new') || name.startsWith('state.db.rebuilt'))
    .map(({ dir, name }) => `${dir}/${name}`);
  const runtime = runtimePath(data);
  if (files.exists(runtime)) strays.push(runtime);
  if (strays.length === 0) return [ok('leftovers', 'none')];
  return strays.map((path) => ({
    ...note('leftovers', `${path} is left from a hub that did not end by itself`),
    fix: () => {
      files.remove(path);
      return `removed ${path}`;
    },
  }));
}
