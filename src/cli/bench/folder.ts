/** Where the files of a benchmark lie while it runs. */
import { hexOf } from '../../base/bytes.ts';
import { removeAtExit } from '../../platform/children.ts';
import type { Args } from '../args.ts';
import type { CliIo } from '../io.ts';

/** Not below /tmp: that is memory on many machines, where a sync costs nothing. */
const DIR = './data';

/** The folder that was asked for: it has to be on the disk that is meant. */
export function folderOf(args: Args): string {
  return args.text('dir') ?? DIR;
}

/** Makes a new folder below `dir`, and removes it, with what is in it, when `use` is over. */
export async function inNewFolder<T>(
  dir: string,
  { files, random }: Pick<CliIo, 'files' | 'random'>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = `${dir}/bench-${hexOf(random.bytes(6))}`;
  files.makeDir(folder);
  removeAtExit(folder);
  try {
    return await use(folder);
  } finally {
    files.remove(folder);
  }
}
