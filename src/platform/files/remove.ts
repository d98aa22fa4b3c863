/** Removes files and folders, so that a refusal of the system can be told by its code. */
import { rmSync, unlinkSync } from 'node:fs';

import { systemCode } from '../../base/errors.ts';

/** Does nothing where there is none. Of `rmSync`, for folders alone, a refusal has no code in Node 24 (`, Unknown error: Read-only file system`). */
export function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return;
    if (code !== 'EISDIR' && code !== 'EPERM') throw error;
    rmSync(path, { recursive: true, force: true });
  }
}
