/**
 * Whether the journal in a data directory is the one of its hub: the folder that it has had, reaching as far as the state that was
 * folded from it. With an empty or an older one the hub would number its ops from where the state stood, up to an hour
 * ago, and who has the first op of a number takes the second for a duplicate: acknowledged, and lost. How far the numbers had
 * come nobody here can tell, so this hub does not start; a new one (`identity new`) has numbers of its own. The same where the end cannot be
 * read (journal/FORMAT.md §6). Where the folder is gone it may
 * come back, and a person decides; where its end is gone, the hub does (cut-journal.ts).
 */
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { statJournal } from '../../journal/recovery/inspect.ts';
import { type Origin, splitLane } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Files } from '../../platform/files/files.ts';
import { Store } from '../../store/store.ts';
import type { HubPaths } from '../data/data.ts';
import { notedFolders } from '../data/folders.ts';
import { checkKeyIsNotAlone, type IdentityPaths, ownerOf } from '../data/identity.ts';

type JournalPaths = Pick<HubPaths, 'folders' | 'journal'>;

/** Throws `journal.lost` where the folder is not there that this hub has had. */
export function checkJournalIsThere(
  paths: JournalPaths,
  files: Pick<Files, 'read' | 'list'>,
): void {
  const { journal } = paths;
  if (!notedFolders(paths, files).includes('journal')) return;
  if (files.list(journal).some((name) => name.endsWith('.segment'))) return;
  throw new HubError('journal.lost', `${journal} holds no segment, and this hub had some`);
}

/** Throws `journal.cut` where the state knows later numbers of this hub than the journal. */
export function checkJournalReaches(
  { journal }: Pick<JournalPaths, 'journal'>,
  lastLsn: number,
  state: { readonly checkpointLsn: number; highest(): VersionVector },
  hub: Origin,
): void {
  const { checkpointLsn } = state;
  if (checkpointLsn <= lastLsn) return;
  if (![...state.highest().keys()].some((lane) => splitLane(lane).origin === hub)) return;
  const ends = `${journal} ends at LSN ${lastLsn}, the state was folded through LSN ${checkpointLsn}`;
  throw new HubError('journal.cut', ends);
}

/** Why no hub starts with the journal of a directory where none runs, as the checks above; undefined where one does. */
export function lostJournal(
  paths: JournalPaths & IdentityPaths,
  {
    files,
    log,
    readingsDays,
  }: { readonly files: Files; readonly log: Log; readonly readingsDays: number },
): HubError | undefined {
  try {
    checkKeyIsNotAlone(paths, files);
    checkJournalIsThere(paths, files);
    const hub = ownerOf(paths, files);
    if (hub === undefined || !files.exists(paths.journal)) return undefined;
    const { lastLsn, endFault } = statJournal(files, paths.journal);
    if (endFault !== undefined || !files.exists(paths.state)) return endFault;
    const state = Store.open({ path: paths.state, files, log, readingsDays });
    try {
      checkJournalReaches(paths, lastLsn, state, hub as Origin);
    } finally {
      state.close();
    }
    return undefined;
  } catch (error) {
    // What else is wrong with journal or state is told by whoever opens them.
    if (!(error instanceof HubError)) throw error;
    return error.code === 'journal.lost' || error.code === 'journal.cut' ? error : undefined;
  }
}
