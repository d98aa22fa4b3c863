/** The SHA-256 of a file, read in slices between which other work has its turn. */
import { createHash } from 'node:crypto';

import { type Timers, turn } from '../base/clock.ts';
import type { OpenFile } from '../platform/files/files.ts';
import { type ContentId, contentIdOf } from './content-id.ts';

const SLICE_BYTES = 256 << 10;

export async function hashFile(file: OpenFile, size: number, timers: Timers): Promise<ContentId> {
  const hash = createHash('sha256');
  const slice = new Uint8Array(SLICE_BYTES);
  for (let offset = 0; offset < size;) {
    const into = slice.subarray(0, Math.min(SLICE_BYTES, size - offset));
    const count = file.readAt(into, offset);
    if (count === 0) break;
    hash.update(into.subarray(0, count));
    offset += count;
    await turn(timers);
  }
  return contentIdOf(new Uint8Array(hash.digest()));
}
