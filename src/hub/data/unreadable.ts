/**
 * Files that a hub can do without, where its card does not give them back: what was acknowledged lies in the journal. State, the
 * sum of the sessions, what was receipted and where the trees stand are made anew from there, as when they are damaged in what
 * they say; the logs and the rest begin anew. So a start that fails over the card puts aside those that cannot be read, and is tried
 * once more: one bad sector beneath such a file must not keep a site dark. Keys, ids, the journal and notes of numbers are none of them.
 */
import { HubError, isDamage, messageOf } from '../../base/errors.ts';
import { finish, type Steps } from '../../base/steps.ts';
import { Closers } from '../../closers.ts';
import type { Machine } from '../../machine.ts';
import type { Files } from '../../platform/files/files.ts';
import { asideOf, putUnreadAside } from '../../store/put-aside.ts';
import { type HubPaths, takeDataDirectory } from './data.ts';

/** Whether a start may have failed over such a file. */
export function mayBeUnreadable(error: unknown): boolean {
  if (error instanceof HubError && error.code === 'store.failed') return true;
  if (isDamage(error)) return true;
  return error instanceof Error && error.cause !== undefined && mayBeUnreadable(error.cause);
}

/**
 * True where there was one. It keeps what bytes it has under a name of its own: of the state the first one, which may have old readings
 * alone, of the others the last one.
 */
export async function putUnreadableAside(
  dir: string,
  { files, log }: Pick<Machine, 'files' | 'log'>,
): Promise<boolean> {
  const closers = new Closers();
  try {
    const paths = takeDataDirectory(dir, files, closers);
    let isAny = false;
    const puts = (path: string, reason: string | undefined): void => {
      if (reason === undefined) return;
      isAny = true;
      const isState = path.startsWith(paths.state);
      const from = isState ? paths.state : path;
      const aside = isState ? putUnreadAside(files, from) : lastAside(files, from);
      log.error('data.put-aside', { path: from, aside: aside ?? null, reason });
    };
    const { syncLog, audit, assets } = paths;
    for (const folder of [syncLog, audit, `${assets}/previews`]) {
      puts(
        folder,
        damageIn(() => files.list(folder)),
      );
    }
    for (const path of dispensable(paths, files))
      puts(
        path,
        damageIn(() => finish(readOut(path, files))),
      );
    return isAny;
  } finally {
    await closers.close();
  }
}

function lastAside(files: Pick<Files, 'rename' | 'remove'>, path: string): string {
  const aside = asideOf(path, 'damaged');
  files.remove(aside); // No folder takes the place of one that holds something.
  files.rename(path, aside);
  return aside;
}

function dispensable(
  { sessions, snapshot, folders, holes, dropped, uplink, ledger, ...paths }: HubPaths,
  files: Pick<Files, 'list'>,
): string[] {
  const { assets, syncLog, audit, state } = paths;
  const single = [sessions, snapshot, folders, holes, dropped, `${ledger}/state`];
  const ofUplink = ['progress', 'summed-up', 'forgotten'].map((name) => `${uplink}/${name}`);
  const logs = [syncLog, audit].flatMap((dir) =>
    files
      .list(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .map((name) => `${dir}/${name}`),
  );
  const others = [...single, ...ofUplink, `${assets}/cursor`, ...logs];
  return [...others, state, `${state}-wal`, `${state}-journal`];
}

const PIECE_BYTES = 256 * 1024;

/** Why the card does not give back what is looked at; undefined where it does. */
function damageIn(look: () => unknown): string | undefined {
  try {
    look();
    return undefined;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return messageOf(error);
  }
}

/** Reads a file, if it is there, to its end; throws what the card answers. */
export function* readOut(path: string, files: Pick<Files, 'exists' | 'open'>): Steps<void> {
  if (!files.exists(path)) return;
  const file = files.open(path, 'read');
  try {
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = 0, count = -1; count !== 0; at += count) {
      count = file.readAt(piece, at);
      yield;
    }
  } finally {
    file.close();
  }
}
