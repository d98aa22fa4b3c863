/**
 * A journal that ends before the state that was folded from it: a card that forgets, at a power cut, what it wrote last, on a site
 * where nobody is. How far the numbers of the hub had come is lost with the end, so it cannot go on as who it was; and devices do not wait for
 * a person. So it becomes a new hub over the same data by itself, as `identity new` would make it, with numbers of its own, and
 * says so until somebody has removed the note: the file `cut` of the data directory, a line for people.
 */
import { utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { Closers } from '../../closers.ts';
import type { Machine } from '../../machine.ts';
import { type Files, textIn } from '../../platform/files/files.ts';
import { type HubPaths, hubPaths, takeDataDirectory } from '../data/data.ts';
import { isKeyFault, ownerOf, takeNewIdentity } from '../data/identity.ts';

const NOTE_LENGTH_MAX = 500;

/**
 * Whether a start has failed by that alone. The note says which hub has ended: as long as the data are still of that one, its
 * key is put aside, or another one's is here, because the power went before this came to its end.
 */
export function isCut(error: unknown, dir: string, files: Pick<Files, 'read'>): error is HubError {
  if (!(error instanceof HubError)) return false;
  if (error.code === 'journal.cut') return true;
  if (!isKeyFault(error.code)) return false;
  const paths = hubPaths(dir);
  const owner = ownerOf(paths, files);
  return owner !== undefined && hasEnded(owner, paths, files);
}

function hasEnded(
  hub: string,
  { cut }: Pick<HubPaths, 'cut'>,
  files: Pick<Files, 'read'>,
): boolean {
  return textIn(files, cut).startsWith(endOf(hub));
}

/** How the note begins. */
function endOf(hub: string): string {
  return `hub ${hub} ended: `;
}

/** Makes the data those of a new hub. The note comes first: who dies in between does it again. */
export async function goOnAsNew(
  dir: string,
  machine: Pick<Machine, 'files' | 'random' | 'log'>,
  { message }: HubError,
): Promise<void> {
  const { files, log } = machine;
  const closers = new Closers();
  try {
    const paths = takeDataDirectory(dir, files, closers);
    const formerly = ownerOf(paths, files) ?? 'before this one';
    if (!hasEnded(formerly, paths, files)) {
      files.replace(paths.cut, utf8(`${endOf(formerly)}${message}\n`));
    }
    const taken = takeNewIdentity(paths, machine, true);
    log.error('journal.cut', { formerly, id: taken?.id, reason: message });
  } finally {
    await closers.close();
  }
}

/** What is told as long as the note is there. It is made before a hub opens, so one that finds none then need not look again. */
export function cutFaultIn(
  { cut }: Pick<HubPaths, 'cut'>,
  files: Pick<Files, 'read' | 'exists'>,
): () => HubError | undefined {
  if (!files.exists(cut)) return () => undefined;
  return () => {
    const text = textIn(files, cut).slice(0, NOTE_LENGTH_MAX);
    return text === '' ? undefined : new HubError('journal.cut', text);
  };
}
