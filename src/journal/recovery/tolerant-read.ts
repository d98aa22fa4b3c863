/**
 * Reads where a part of the card cannot be read. One bad sector must not take the good ones around it along, nor end
 * the hub: what cannot be read comes as zeros, fails its checksum, and is treated as the damage that it is.
 */
import { systemCode } from '../../base/errors.ts';
import type { OpenFile } from '../../platform/files/files.ts';

/** What a card reads as one piece, at the least. */
const PIECE_BYTES = 4096;

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

function readOrNot(file: OpenFile, into: Uint8Array, offset: number): number | undefined {
  try {
    return file.readAt(into, offset);
  } catch (error) {
    if (systemCode(error) === 'EIO') return undefined;
    throw error;
  }
}
