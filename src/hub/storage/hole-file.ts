/**
 * What this hub was told that it lacks (ingest/door/hole-book.ts), in the file `holes` of the data directory: a line a hole,
 *
 *   <origin> <class> <from>-<to> <since, ms> open|closed <device, or nothing>
 *
 * It is on the card before a receipt hangs on it. What is filled is written a moment later: a crash in between makes the hub
 * ask for what it has, which costs bytes and nothing else. Without the file the journal says the same, until it lets go.
 */
import { linesOf, utf8 } from '../../base/bytes.ts';
import type { Timers } from '../../base/clock.ts';
import { messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { HoleBook, ToldHole } from '../../ingest/door/hole-book.ts';
import { isOpClass } from '../../model/class.ts';
import { laneOf, type Origin, splitLane } from '../../model/origin.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Files } from '../../platform/files/files.ts';

interface HoleFileParts {
  readonly files: Pick<Files, 'read' | 'replace'>;
  readonly path: string;
  readonly timers: Timers;
  readonly log: Log;
}

const SOON_MS = 1_000;
const LINE = /^([0-9a-f]{16}) ([0-6]) ([0-9]+)-([0-9]+) ([0-9]+) (open|closed) (.*)$/;

/** Gives the book what an earlier run wrote down, and writes down what it is told from now on. */
export function keepHoles(book: HoleBook, vector: VersionVector, parts: HoleFileParts): void {
  const { files, path, timers, log } = parts;
  let told: readonly ToldHole[] = [];
  let isDue = false;
  const write = (): void => {
    try {
      files.replace(path, utf8(told.map((hole) => lineOf(hole)).join('')));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      log.warn('ingest.holes-unwritten', { file: path, reason: messageOf(error) });
    }
  };
  book.restore(holesIn(files.read(path)), vector, (now, atOnce) => {
    told = now;
    if (atOnce) return write();
    if (isDue) return;
    isDue = true;
    timers.after(SOON_MS, () => {
      isDue = false;
      write();
    });
  });
}

/** Lines that are none are passed over. */
export function holesIn(bytes: Uint8Array | undefined): ToldHole[] {
  return linesOf(bytes).flatMap((line): ToldHole[] => {
    const [, origin, opClass, from, to, sinceMs, word, device] = LINE.exec(line) ?? [];
    const number = Number(opClass);
    if (origin === undefined || !isOpClass(number)) return [];
    return [
      {
        lane: laneOf(origin as Origin, number),
        from: Number(from),
        to: Number(to),
        sinceMs: Number(sinceMs),
        isClosed: word === 'closed',
        device: device || undefined,
      },
    ];
  });
}

function lineOf({ lane, from, to, sinceMs, isClosed, device = '' }: ToldHole): string {
  const { origin, class: opClass } = splitLane(lane);
  const word = isClosed ? 'closed' : 'open';
  return `${origin} ${opClass} ${from}-${to} ${sinceMs} ${word} ${device}\n`;
}
