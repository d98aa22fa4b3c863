/** A hub that meets its own id at the other end of a line: itself, by a name that leads back, or a copy of its card. */
import { CLASSES } from '../../model/class.ts';
import { laneOf, type Origin } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';

/** Why the exchange with a copy ended, for people. */
export const COPIED = 'another box has the key of this hub and numbers ops of its own';

/** Whether they have numbered ops of this hub that it has not: nobody but itself does that, and it is never ahead of itself. */
export function isAhead(theirs: VersionVector, ours: VersionVector, hub: Origin): boolean {
  return CLASSES.some((opClass) => {
    const lane = laneOf(hub, opClass);
    return seqIn(theirs, lane) > seqIn(ours, lane);
  });
}
