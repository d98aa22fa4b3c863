/** What `heliograph doctor` finds of state database and snapshot, in a directory that it has for itself. */
import { HubError } from '../../base/errors.ts';
import { createLog } from '../../base/log.ts';
import type { Config } from '../../config/schema.ts';
import type { HubPaths } from '../../hub/data/data.ts';
import type { FolderStat } from '../../journal/recovery/inspect.ts';
import { Identity, verifyEd25519 } from '../../keys/identity.ts';
import { readSnapshot, type Trust } from '../../snapshot/snapshot-file.ts';
import { SqliteFile } from '../../store/database/sqlite.ts';
import { asideOf, putAside } from '../../store/put-aside.ts';
import { Store } from '../../store/store.ts';
import type { CliIo } from '../io.ts';
import { type Check, checked, note, ok, wrong, wrongByFault } from './check.ts';

export function snapshotCheck(io: CliIo, paths: HubPaths): Check {
  return checked('snapshot', () => {
    const snapshot = readSnapshot(io.files, paths.snapshot, trustIn(io, paths));
    if (snapshot === undefined) return ok('snapshot', 'none yet');
    return ok('snapshot', `through LSN ${snapshot.manifest.lsn}, signed by this hub`);
  });
}

/** Only what this hub has signed, where its key is here. */
function trustIn({ files, random }: CliIo, { identity: path }: HubPaths): Trust {
  if (!files.exists(path)) return { verify: verifyEd25519 };
  const { publicKey } = Identity.open({ files, path, random });
  return { publicKey, verify: verifyEd25519 };
}

/** The state database against the journal, where that is there; a damaged one is disposable where the rest holds all of it. */
export function storeCheck(
  io: CliIo,
  config: Config,
  paths: HubPaths,
  {
    journal,
    freeBytesMin,
  }: { readonly journal: FolderStat | undefined; readonly freeBytesMin: number },
): Check {
  const { files, clock } = io;
  if (!files.exists(paths.state))
    return ok('store', 'none: the next start folds it from the journal');
  if (journal === undefined)
    return note('store', 'no journal can be read that it could be compared with');
  const { firstLsn, lastLsn } = journal;
  const log = createLog(clock, 'error', (line) => io.stderr(`${line}\n`));
  let checkpointLsn: number;
  try {
    const { readingsDays } = config.store;
    const store = Store.open({ path: paths.state, files, log, readingsDays });
    ({ checkpointLsn } = store);
    store.close();
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const check = wrongByFault('store', error.code, error.message);
    if (!isCovered(io, paths, firstLsn)) return check;
    if (error.code === 'data.newer') return newerStore(io, paths, check);
    if (error.code !== 'store.damaged') return check;
    return {
      ...check,
      fix: () => {
        const aside = putAside(files, paths.state, freeBytesMin);
        return asideText(paths.state, aside);
      },
    };
  }
  if (checkpointLsn > lastLsn) {
    return note(
      'store',
      `is of another journal: LSN ${checkpointLsn} of ${lastLsn}`,
      'The next start folds it anew.',
    );
  }
  if (checkpointLsn + 1 < firstLsn && !isCovered(io, paths, firstLsn)) {
    const gap = `LSN ${checkpointLsn + 1} to ${firstLsn - 1}`;
    return wrong(
      'store',
      `${gap} have left the journal and are not in the state`,
      'Compare with the region: `heliograph doctor --compare URL`.',
    );
  }
  return ok('store', `through LSN ${checkpointLsn} of ${lastLsn}`);
}

/** Of a newer version: its readings from before the journal are nowhere else on this card, so it is kept. */
function newerStore({ files }: CliIo, { state }: HubPaths, check: Check): Check {
  const aside = asideOf(state, 'newer');
  if (files.exists(aside)) {
    const way = `Or go on with this version: move ${aside} elsewhere, then \`doctor --fix\` puts this one in its place.`;
    return { ...check, steps: [...check.steps, way] };
  }
  const way = `Or go on with this version: \`doctor --fix\` puts it aside as ${aside}, and the next start folds the journal anew. Readings that have left the journal stay in that file.`;
  return {
    ...check,
    steps: [...check.steps, way],
    fix: () => {
      SqliteFile.rename(files, state, aside);
      return asideText(state, aside);
    },
  };
}

function asideText(state: string, aside: string | undefined): string {
  const done = aside === undefined ? `removed ${state}` : `put ${state} aside as ${aside}`;
  return `${done}; the next start folds it anew`;
}

/** State databases that the hub, `store rebuild` or `--fix` has put aside. */
export function asideChecks({ files }: CliIo, { state }: HubPaths): Check[] {
  const aside = [
    {
      path: asideOf(state, 'damaged'),
      what: 'that was damaged',
      reader: '`sqlite3 FILE .recover`',
    },
    { path: asideOf(state, 'before'), what: 'from before `store rebuild`', reader: '`sqlite3`' },
    { path: asideOf(state, 'newer'), what: 'of a newer version', reader: 'that version' },
  ];
  return aside
    .filter(({ path }) => files.exists(path))
    .map(({ path, what, reader }) =>
      note(
        'put aside',
        `${path}, a state database ${what}`,
        `Readings that have left the journal may be in it alone: copy it, and read it with ${reader}. Then remove it: only then the next one stays.`,
      ),
    );
}

/** Whether snapshot and journal together hold everything. */
function isCovered(io: CliIo, paths: HubPaths, firstLsn: number): boolean {
  if (firstLsn <= 1) return true;
  try {
    const snapshot = readSnapshot(io.files, paths.snapshot, trustIn(io, paths));
    return (snapshot?.manifest.lsn ?? 0) + 1 >= firstLsn;
  } catch {
    return false;
  }
}
