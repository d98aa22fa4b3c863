/**
 * Which folders of a data directory have been there: a line each in the file `folders`. One that is noted and not there was lost, by
 * the card or a restore; one that is not noted has yet to be made. Without the note the two look alike, and a hub that
 * lost its journal would give numbers a second time, one that lost `enrol/` would be the authority of a site of its own.
 * A folder is noted when it is durable. Who loses the note as well is noted anew.
 */
import { linesOf, utf8 } from '../../base/bytes.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Files } from '../../platform/files/files.ts';
import type { HubPaths } from './data.ts';

type Folder = 'journal' | 'enrol';

type NotePaths = Pick<HubPaths, 'folders' | 'owner'>;

const FOLDERS: readonly Folder[] = ['journal', 'enrol'];

/** Folders that were here once. */
export function notedFolders(
  { folders }: Pick<NotePaths, 'folders'>,
  files: Pick<Files, 'read'>,
): readonly Folder[] {
  const lines = linesOf(files.read(folders));
  return FOLDERS.filter((folder) => lines.includes(folder));
}

/** Notes that the folder of a hub is there, once. A full disk stops no hub: the next start tries again. */
export function noteFolder(
  paths: NotePaths,
  folder: Folder,
  { files, log }: { readonly files: Pick<Files, 'read' | 'replace' | 'exists'>; readonly log: Log },
): void {
  const noted = notedFolders(paths, files);
  if (noted.includes(folder) || !files.exists(paths.owner)) return;
  try {
    write(paths, files, [...noted, folder]);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    log.warn('folders.unnoted', { path: paths.folders, reason: messageOf(error) });
  }
}

/** The folder may be missing: it is made anew. */
export function forgetFolder(
  paths: NotePaths,
  folder: Folder,
  files: Pick<Files, 'read' | 'replace'>,
): void {
  const noted = notedFolders(paths, files);
  const others = noted.filter((it) => it !== folder);
  if (others.length < noted.length) write(paths, files, others);
}

/** Throws `enrol.lost` where the node belonged to a site, of which `enrol/` says nothing any more. */
export function checkEnrolment(
  paths: NotePaths,
  anchor: string,
  files: Pick<Files, 'read' | 'exists'>,
): void {
  if (files.exists(anchor) || !notedFolders(paths, files).includes('enrol')) return;
  throw new HubError('enrol.lost', `${anchor} is not there, and this hub belonged to a site`);
}

function write(
  { folders }: Pick<NotePaths, 'folders'>,
  files: Pick<Files, 'replace'>,
  noted: readonly Folder[],
): void {
  files.replace(folders, utf8(noted.map((folder) => `${folder}\n`).join('')));
}
