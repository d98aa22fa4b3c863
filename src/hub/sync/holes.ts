/** What this hub was told that it lacks, for people: as rows, as a fault, and closed by them. */
import { isoTime } from '../../base/iso-time.ts';
import type { Log } from '../../base/log.ts';
import { type HoleBook, opsIn } from '../../ingest/door/hole-book.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import { splitLane } from '../../model/origin.ts';
import type { HoleDoor } from '../../status/api/holes.ts';

export function holeDoorOf(book: Pick<HoleBook, 'told' | 'close'>, log: Log): HoleDoor {
  return {
    list: () =>
      book.told.map(({ lane, from, to, device, sinceMs, isClosed }) => {
        const { origin, class: opClass } = splitLane(lane);
        const about = { device: device ?? null, since: isoTime(sinceMs), closed: isClosed };
        return { origin, class: CLASS_NAMES[opClass], from, to, ...about };
      }),
    close: (origin, who) => {
      const ops = book.close(
        ({ lane }) => origin === undefined || splitLane(lane).origin === origin,
      );
      if (ops > 0) log.warn('ingest.holes-closed', { ops, origin: origin ?? 'all', by: who });
      return ops;
    },
  };
}

/** In words, undefined where nothing is open. */
export function lackingText({ told }: Pick<HoleBook, 'told'>): string | undefined {
  const open = told.filter(({ isClosed }) => !isClosed);
  if (open.length === 0) return undefined;
  const ops = opsIn(open);
  const devices = [...new Set(open.map(({ device }) => device ?? 'another hub'))];
  const named = devices.slice(0, 3).join(', ') + (devices.length > 3 ? ' and others' : '');
  return `${ops} ${ops === 1 ? 'op' : 'ops'} that other hubs have had, told by ${named}`;
}
