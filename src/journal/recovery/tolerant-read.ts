/**
 * Reads where a part of the card cannot be read. One bad sector must not take the good ones around it along, nor end
 * the hub: what cannot be read comes as zeros, fails its checksum, and is treated as the damage that it is.
 */
import { isDamage, systemCode } from '../../base/errors.ts';
import type { OpenFile } from '../../platform/files/files.ts';

/** What a card reads as one piece, at the least. */
const PIECE_BYTES = 4096;

/** What the system answers over files that somebody has shut, or put something else in the place of. */
const SHUT: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EISDIR']);

/** Whether a file that does not open is as good as damaged: trying again, as for want of file descriptors, would not help. */
export function isShutFor(error: unknown): boolean {
  return isDamage(error) || isShutByHand(error);
}

export function isShutByHand(error: unknown): boolean {
  return SHUT.has(systemCode(error) ?? '');
}

/** As `OpenFile.readAt`, with zeros for what the card refuses to read. */
export function readWhatCanBe(file: OpenFile, into: Uint8Array, offset: number): number {
  const whole = readOrNot(file, into, offset);
  if (whole !== undefined) return whole;
  let done = 0;
  while (done < into.length) {
    const toBoundary = PIECE_BYTES - ((offset + done) % PIECE_BYTES);
    const piece = into.subarray(done, done + toBoundary);
    const count = readOrNot(file, piece, offset + done);
    if (count === undefined) piece.fill(0);
    done += count ?? piece.length;
    if (count !== undefined && count < piece.length) break;
  }
  return done;
}

/** The same, or undefined where any of it cannot be read. */
export function readOrNot(file: OpenFile, into: Uint8Array, offset: number): number | undefined {
  try {
    return file.readAt(into, offset);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}
