/**
 * Which node lives in a data directory, noted where it is readable without that directory's disk (`data_note`). A disk that is not
 * mounted leaves an empty folder, which looks like a first start: a new hub would begin there, and the old one come back with the
 * disk, for devices and region two hubs that take turns; a new region would have a key that no hub trusts. Who has such a note waits instead.
 *
 * A line a directory, `ID DIRECTORY`: whoever runs a demo, or looks at a copy, has the same environment and another directory. The node
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

/** A directory that a node lives in, and the file that says which. */
interface NotedPlace {
  readonly dir: string;
  readonly note: string;
}

const PLACES_MAX = 16;
const ID_CHARS = 16;

/** `data.away` where the noted hub is not in the data directory; undefined where it is, or none is noted. Writes nothing. */
export function awayFault(
  { data, dataNote }: NoteConfig,
  files: Pick<Files, 'list' | 'read' | 'exists'>,
): HubError | undefined {
  const place = { dir: data, note: dataNote };
  return nodeAwayFault('hub', place, files, (noted) => strangeContent(data, noted, files));
}

/** `data.away` where `strange` says what lies in the place of the noted node. */
export function nodeAwayFault(
  what: 'hub' | 'region',
  { dir, note }: NotedPlace,
  files: Pick<Files, 'read'>,
  strange: (noted: Origin) => string | undefined,
): HubError | undefined {
  const noted = notedIn(note, files).get(placeOf(dir));
  const found = noted && strange(noted);
  if (found === undefined) return undefined;
  return new HubError('data.away', `${dir} holds ${found}; ${note} names ${what} ${noted}`);
}

/** Notes the hub that lives here. */
export function noteHub(
  { data, dataNote }: NoteConfig,
  id: Origin,
  machine: { readonly files: Pick<Files, 'read' | 'replace' | 'exists'>; readonly log: Log },
): void {
  noteNode({ dir: data, note: dataNote }, id, machine);
}

/** Notes the node that lives here, and forgets directories that are gone: a mount point stays. A full disk stops no node: the next start tries again. */
export function noteNode(
  { dir, note }: NotedPlace,
  id: string,
  { files, log }: { readonly files: Pick<Files, 'read' | 'replace' | 'exists'>; readonly log: Log },
): void {
  if (note === '') return;
  const place = placeOf(dir);
  const nodeByPlace = notedIn(note, files);
  if (nodeByPlace.get(place) === id) return;
  const others = [...nodeByPlace].filter(([known]) => known !== place && files.exists(known));
  const lines = [...others, [place, id]].map(([known, node]) => `${node} ${known}\n`);
  try {
    files.replace(note, utf8(lines.slice(-PLACES_MAX).join('')));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    log.warn('data.unnoted', { path: note, reason: messageOf(error) });
  }
}

function notedIn(path: string, files: Pick<Files, 'read'>): Map<string, Origin> {
  const nodeByPlace = new Map<string, Origin>();
  if (path === '') return nodeByPlace;
  for (const line of linesOf(files.read(path))) {
    const node = originOfText(line.slice(0, ID_CHARS));
    if (node !== undefined) nodeByPlace.set(line.slice(ID_CHARS + 1), node);
  }
  return nodeByPlace;
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
