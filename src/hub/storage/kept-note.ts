/**
 * The note of how far the lanes have come, beside a journal that is too full to take it (ingest/progress.ts): without one
 * nothing may be released, and without a release there is no room for one. Durable before it counts.
 */
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Door } from '../../ingest/door/door.ts';
import { encodeNote, settledNote } from '../../ingest/progress.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Files } from '../../platform/files/files.ts';
import { replaceOffLoop } from '../../platform/files/off-loop.ts';

interface KeptNoteParts {
  readonly files: Files;
  readonly path: string;
  readonly journal: Journal;
  readonly door: Pick<Door, 'progress'>;
  readonly log: Log;
}

/** False where the note cannot be told or written at this moment; the next round tries again. */
export async function keepNote({
  files,
  path,
  journal,
  door,
  log,
}: KeptNoteParts): Promise<boolean> {
  const note = settledNote(journal, door.progress());
  if (note === undefined) return false;
  try {
    await replaceOffLoop(files, path, note);
  } catch (error) {
    log.warn('ingest.note-unwritten', { reason: messageOf(error) });
    return false;
  }
  log.info('ingest.note-kept', { bytes: note.length });
  return true;
}

/**
 * Keeps what a start has passed over (ingest/progress.ts), before the door numbers an op: in the file, which every later start reads,
 * and behind the damage in the journal, so that the next one does not pass over it once more. A disk that takes neither is
 * told; the start after this one passes over it again as long as the store has not come so far.
 */
export function keepPassedOver({
  files,
  path,
  door,
  log,
}: Pick<KeptNoteParts, 'files' | 'path' | 'log'> & {
  readonly door: Pick<Door, 'progress' | 'noteProgress'>;
}): void {
  try {
    files.replace(path, encodeNote(door.progress()));
    door.noteProgress();
  } catch (error) {
    if (systemCode(error) === undefined && !(error instanceof HubError)) throw error;
    log.error('ingest.note-unwritten', { reason: messageOf(error) });
  }
}
