/**
 * Which hub lives in a data directory, noted where it is readable without that directory's disk (`data_note`). A disk that is not
 * mounted leaves an empty folder, which looks like a first start: a new hub would begin there, and the old one come back with the
 * disk, for devices and region two hubs that take turns. Who has such a note waits instead.
 *
 * A line a directory, `ID DIRECTORY`: whoever runs a demo, or looks at a copy, has the same environment and another directory. The hub
 * writes its line itself, from the moment when its data say whose they are. Who loses the file writes it anew.
 */
import { linesOf, utf8 } from '../../base/bytes.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Config } from '../../config/schema.ts';
import { type Origin, originOfText } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';
import { hubPaths, isDataDirectory } from './data.ts';
import { formerHubs, hasJournalOrState, ownerOf } from './identity.ts';

type NoteConfig = Pick<Config, 'data' | 'dataNote'>;

const PLACES_MAX = 16;
const ID_CHARS = 16;

/** `data.away` where the noted hub is not in the data directory; undefined where it is, or none is noted. Writes nothing. */
export function awayFault(
  { data, dataNote }: NoteConfig,
  files: Pick<Files, 'list' | 'read' | 'exists'>,
): HubError | undefined {
  const noted = notedIn(dataNote, files).get(placeOf(data));
  if (noted === undefined) return undefined;
  const found = strangeContent(data, noted, files);
  if (found === undefined) return undefined;
  return new HubError('data.away', `${data} holds ${found}; ${dataNote} names hub ${noted}`);
}

/** Notes the hub that lives here, and forgets directories that are gone: a mount point stays. A full disk stops no hub: the next start tries again. */
export function noteHub(
  { data, dataNote }: NoteConfig,
  id: Origin,
  { files, log }: { readonly files: Pick<Files, 'read' | 'replace' | 'exists'>; readonly log: Log },
): void {
  if (dataNote === '') return;
  const place = placeOf(data);
  const hubByPlace = notedIn(dataNote, files);
  if (hubByPlace.get(place) === id) return;
  const others = [...hubByPlace].filter(([dir]) => dir !== place && files.exists(dir));
  const lines = [...others, [place, id]].map(([dir, hub]) => `${hub} ${dir}\n`);
  try {
    files.replace(dataNote, utf8(lines.slice(-PLACES_MAX).join('')));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    log.warn('data.unnoted', { path: dataNote, reason: messageOf(error) });
  }
}

function notedIn(path: string, files: Pick<Files, 'read'>): Map<string, Origin> {
  const hubByPlace = new Map<string, Origin>();
  if (path === '') return hubByPlace;
  for (const line of linesOf(files.read(path))) {
    const hub = originOfText(line.slice(0, ID_CHARS));
    if (hub !== undefined) hubByPlace.set(line.slice(ID_CHARS + 1), hub);
  }
  return hubByPlace;
}

function placeOf(data: string): string {
  return data.replace(/\/+$/, '');
}

/** What lies in the place of the noted hub's data, in words; undefined where they do. */
function strangeContent(
  data: string,
  noted: Origin,
  files: Pick<Files, 'list' | 'read' | 'exists'>,
): string | undefined {
  const paths = hubPaths(data);
  if (!isDataDirectory(data, files)) return 'no data of a hub';
  const owner = ownerOf(paths, files);
  // Data of a version that did not write the id are its own.
  if (owner === undefined) return hasJournalOrState(paths, files) ? undefined : 'no data of a hub';
  const isOurs = owner === noted || formerHubs(paths, files).includes(noted);
  return isOurs ? undefined : `data of hub ${owner}`;
}
