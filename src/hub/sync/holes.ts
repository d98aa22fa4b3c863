/** What this hub lacks, for people: as rows, as a fault, and closed by them. */
import type { Clock } from '../../base/clock.ts';
import { isoTime } from '../../base/iso-time.ts';
import type { Log } from '../../base/log.ts';
import { type Hole, type HoleBook, opsIn } from '../../ingest/door/hole-book.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import { splitLane } from '../../model/origin.ts';
import type { HoleDoor, HoleRow } from '../../status/api/holes.ts';
import type { Healing } from './healing.ts';

interface HoleDoorParts {
  readonly book: Pick<HoleBook, 'told' | 'damaged' | 'close'>;
  readonly healing: Pick<Healing, 'giveUp' | 'isLooking'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: Log;
}

export function holeDoorOf({ book, healing, clock, log }: HoleDoorParts): HoleDoor {
  return {
    isLooking: () => healing.isLooking,
    list: () => [
      ...book.damaged.map((hole) => ({ ...rowOf(hole), device: null, since: null, closed: false })),
      ...book.told.map(({ device, sinceMs, isClosed, ...hole }) => {
        const about = { device: device ?? null, since: isoTime(sinceMs), closed: isClosed };
        return { ...rowOf(hole), ...about };
      }),
    ],
    close: (origin, who) => {
      const isMeant = ({ lane }: Hole): boolean =>
        origin === undefined || splitLane(lane).origin === origin;
      const ops = book.close(isMeant, clock.wallMs());
      const ranges = origin === undefined ? healing.giveUp() : 0;
      if (ops + ranges > 0) {
        const fields = { ops, ranges, origin: origin ?? 'all', by: who };
        log.warn('ingest.holes-closed', fields);
      }
      return { ops, ranges };
    },
  };
}

function rowOf({ lane, from, to }: Hole): Pick<HoleRow, 'origin' | 'class' | 'from' | 'to'> {
  const { origin, class: opClass } = splitLane(lane);
  return { origin, class: CLASS_NAMES[opClass], from, to };
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
