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
import { type HubPaths, takeDataDirectory } from '../data.ts';
import { ownerOf, takeNewIdentity } from '../identity.ts';

const NOTE_LENGTH_MAX = 500;

/** Whether a start has failed by that alone. */
export function isCut(error: unknown): error is HubError {
  return error instanceof HubError && error.code === 'journal.cut';
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
    files.replace(paths.cut, utf8(`hub ${formerly} ended: ${message}\n`));
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
