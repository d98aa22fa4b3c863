/** Waiting for the card without stopping the event loop; on the real files and their twin alike. */
import { type Files, folderOf, type OpenFile, removeHalf } from './files.ts';

/** Resolves when all that was written is on the medium; rejects with what the card says. */
export function synced(file: OpenFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.datasync((error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** As `Files.replace`, for files that are replaced while devices are served; one at a time for a path. */
export async function replaceOffLoop(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.new`;
  try {
    const file = files.open(beside, 'create');
    try {
      file.writeAt(bytes, 0);
      await synced(file);
    } finally {
      file.close();
    }
    files.rename(beside, path);
  } catch (error) {
    removeHalf(files, beside);
    throw error;
  }
  files.syncDir(folderOf(path));
}
