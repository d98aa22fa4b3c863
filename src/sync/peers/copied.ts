/** A hub that meets its own id at the other end of a line: itself, by a name that leads back, or a copy of its card. */
import { CLASSES } from '../../model/class.ts';
import { laneOf, type Origin } from '../../model/origin.ts';
import { instanceIn } from './abilities.ts';
import type { PeerRange } from './contract.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';

/** Why the exchange with a copy ended, for people. */
export const COPIED = 'another box has the key of this hub and numbers ops of its own';
/** What is told of a copy, also where it is this card itself, which another hub knows as it was later. */
export const COPIED_MEANS =
  'ops exist under the name of this hub that it has not made: another box has its key, or this card was restored from an old copy';
/** Why a second line to the same hub ends; the other end reads it. */
export const SPEAK_ALREADY = 'these hubs speak already';
/** So long after it was met, a copy counts as there: whoever is away for good is not told of. */
export const COPIED_MS = 900_000;

/** A card that was copied; `old copy`: the same, of a version that tells no instance and reads no code. */
type OwnIdMet = 'itself' | 'copy' | 'old copy';

interface Told {
  readonly holes: readonly PeerRange[];
  readonly vector: VersionVector;
}

interface Own {
  readonly hub: Origin;
  readonly instance: number;
  readonly vector: VersionVector;
}

export function ownIdMet({ holes, vector: theirs }: Told, own: Own): OwnIdMet {
  const told = instanceIn(holes, own.hub);
  if (told !== undefined) return told === own.instance ? 'itself' : 'copy';
  return knowsMore(theirs, own) ? 'old copy' : 'itself';
}

/** Whether somebody holds numbers of the hub's lanes that it has not given: nobody else gives them, and it is never ahead of itself. */
export function knowsMore(
  theirs: VersionVector,
  { hub, vector }: Pick<Own, 'hub' | 'vector'>,
): boolean {
  return CLASSES.some((opClass) => {
    const lane = laneOf(hub, opClass);
    return seqIn(theirs, lane) > seqIn(vector, lane);
  });
}
