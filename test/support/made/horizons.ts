/** Random histories with horizons that hubs have drawn at any point, knowing of each other or not. */
import fc from 'fast-check';

import { fold } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { drawHorizon } from '../../../src/merge/record/draw-horizon.ts';
import { RECORD } from '../../../src/model/class.ts';
import { CONTROL, type StampedOp } from '../../../src/model/op.ts';
import { type Lane, laneOf, type Origin } from '../../../src/model/origin.ts';
import { anyHistory } from './histories.ts';
import { stampedOp } from './ops.ts';

export const KEYS = ['a', 'a\u0000b', 'ß/漢'];
export const HUBS = ['cccccccccccccccc', 'dddddddddddddddd'] as Origin[];

interface Cut {
  /** Which hub draws, after how much of the history, and how many ops of each record it leaves. */
  readonly hub: number;
  readonly after: number;
  readonly keep: number;
  /** A writer of whom it has heard nothing. */
  readonly deafTo: number;
  /** Whether it knows the horizons that were drawn before. */
  readonly knowsOthers: boolean;
}

const anyCuts: fc.Arbitrary<Cut[]> = fc.array(
  fc.record({
    hub: fc.nat({ max: 1 }),
    after: fc.nat({ max: 40 }),
    keep: fc.nat({ max: 4 }),
    deafTo: fc.nat({ max: 5 }),
    knowsOthers: fc.boolean(),
  }),
  { maxLength: 4 },
);

export function folded(ops: Iterable<StampedOp>): MemoryState {
  const state = new MemoryState();
  for (const op of ops) fold(state, op);
  return state;
}

/** Horizons as a hub draws them that holds these ops and no others. */
export function drawn(
  known: readonly StampedOp[],
  hub: Origin,
  firstSeq: number,
  keep: number,
): StampedOp[] {
  const state = folded(known);
  const seqs = new Map<Lane, number>();
  for (const { op } of known) {
    const lane = laneOf(op.origin, op.class);
    seqs.set(lane, Math.max(op.seq, seqs.get(lane) ?? 0));
  }
  let seq = firstSeq;
  return KEYS.flatMap((key) => {
    const upTo = (lane: Lane): number => seqs.get(lane) ?? 0;
    const body = drawnAtOnce(state, key, upTo, keep);
    if (body === undefined) return [];
    return stampedOp({
      kind: CONTROL,
      class: RECORD,
      origin: hub,
      hub,
      seq: seq++,
      key,
      body,
      atMs: 50,
    });
  });
}

function drawnAtOnce(
  state: MemoryState,
  key: string,
  upTo: (lane: Lane) => number,
  keep: number,
): Uint8Array | undefined {
  const fields = [...state.record(key).keys()];
  const tombstone = state.tombstone(key);
  const steps = drawHorizon({ ops: state.opsOf(key), fields, tombstone, upTo, keep });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The history with the horizons that the cuts draw. */
function withHorizons(history: readonly StampedOp[], cuts: readonly Cut[]): StampedOp[] {
  const all: StampedOp[] = [];
  const nextSeq = [1, 1];
  for (const { hub, after, keep, deafTo, knowsOthers } of cuts) {
    const heard = history
      .slice(0, after)
      .filter(({ op }) => op.origin !== String(deafTo).repeat(16));
    const own = HUBS[hub] as Origin;
    const others = all.filter(({ op }) => knowsOthers || op.origin === own);
    const horizons = drawn([...heard, ...others], own, nextSeq[hub] as number, keep);
    nextSeq[hub] = (nextSeq[hub] as number) + horizons.length;
    all.push(...horizons);
  }
  return [...history, ...all];
}

/** All ops, all in another order, some of them. */
export const anySite = fc
  .tuple(anyHistory, anyCuts)
  .map(([history, cuts]) => withHorizons(history, cuts))
  .chain((ops) =>
    fc.tuple(
      fc.constant(ops),
      fc.shuffledSubarray(ops, { minLength: ops.length }),
      fc.shuffledSubarray(ops),
    ),
  );
