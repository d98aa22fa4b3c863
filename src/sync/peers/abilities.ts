/**
 * What a hub can do beyond what every version can, said in its `open`: holes in class log of its own lane, which nobody can
 * fill. Older hubs take no notice of them.
 */
import { LOG } from '../../model/class.ts';
import { laneOf, type Origin } from '../../model/origin.ts';
import type { PeerRange, PeerStates } from './contract.ts';

/** From here on, a number drawn at the start: who meets its own id at the other end knows whether that is itself. */
export const INSTANCE_MIN = 2 ** 40;

/** From 1 to 1: it compares stamps. From 2 or more on: the formats of states that it reads. A high number alone: the instance. */
export function abilitiesOf(hub: Origin, { formats }: PeerStates, instance: number): PeerRange[] {
  const lane = laneOf(hub, LOG);
  return [
    { lane, from: 1, to: 1 },
    { lane, ...formats },
    { lane, from: instance, to: instance },
  ];
}

/** Undefined where its version tells none. */
export function instanceIn(holes: readonly PeerRange[], hub: Origin): number | undefined {
  return holes.find(({ lane, from }) => lane === laneOf(hub, LOG) && from >= INSTANCE_MIN)?.from;
}

export function comparesStamps(holes: readonly PeerRange[], hub: Origin): boolean {
  return holes.some(({ lane }) => lane === laneOf(hub, LOG));
}

/** Whether it reads the states that are given here. */
export function readsStates(
  holes: readonly PeerRange[],
  hub: Origin,
  { formats }: PeerStates,
): boolean {
  const { to } = formats;
  const isFit = (hole: PeerRange): boolean => hole.from > 1 && hole.from <= to && to <= hole.to;
  return holes.some((hole) => hole.lane === laneOf(hub, LOG) && isFit(hole));
}
