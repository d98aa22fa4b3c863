/** Random histories of a few origins over a few keys, so that writes meet: for the laws of merge and store. */
import fc from 'fast-check';

import { encodeAssetVersion } from '../../../src/merge/asset/asset-version.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../../src/merge/patch.ts';
import type { OpClass } from '../../../src/model/class.ts';
import {
  ADD,
  ASSET,
  compareStamps,
  DOC,
  encodeOp,
  EVENT,
  type Op,
  PATCH,
  REMOVE,
  type StampedOp,
  UNDO,
} from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { HUB } from './ops.ts';

interface Step {
  readonly writer: number;
  readonly class: OpClass;
  readonly kind: 0 | 1 | 2 | 3 | 4 | 5 | 6;
  readonly key: number;
  readonly field: number;
  readonly value: number;
  readonly ms: number;
  readonly counter: number;
  readonly stampLagMs: number;
  readonly authority: number;
  /** Of an undo, and of what a patch had seen: places in the history before it, from its end. */
  readonly back: readonly number[];
  readonly tells: boolean;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  writer: fc.integer({ min: 0, max: 2 }),
  class: fc.constantFrom<OpClass>(0, 2, 3, 6),
  kind: fc.constantFrom(EVENT, PATCH, PATCH, PATCH, REMOVE, ADD, ASSET, ASSET, DOC, UNDO, UNDO),
  key: fc.integer({ min: 0, max: 2 }),
  field: fc.integer({ min: 0, max: 3 }),
  value: fc.integer({ min: 0, max: 3 }),
  // Few moments, so that ties on time are common; some ops claim to be far in the future.
  ms: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(10_000_000)),
  counter: fc.integer({ min: 0, max: 1 }),
  stampLagMs: fc.integer({ min: 0, max: 3 }),
  authority: fc.integer({ min: 1, max: 3 }),
  back: fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 3 }),
  tells: fc.boolean(),
});

const OTHER_HUB = '2222222222222222' as Origin;
const KEYS = ['a', 'a\u0000b', 'ß/漢'];

/** A history in the order of its birth: seqs per lane are 1, 2, 3 … */
export const anyHistory: fc.Arbitrary<StampedOp[]> = fc
  .array(anyStep, { maxLength: 40 })
  .map((steps) => {
    const seqs = new Map<string, number>();
    const history: StampedOp[] = [];
    for (const step of steps) {
      const lane = `${step.writer}/${step.class}`;
      const seq = (seqs.get(lane) ?? 0) + 1;
      seqs.set(lane, seq);
      history.push(stampedStep(step, seq, history));
    }
    return history;
  });

function stampedStep(step: Step, seq: number, before: readonly StampedOp[]): StampedOp {
  const named = step.back.flatMap((back) => before.at(-1 - back)?.op ?? []);
  const op: Op = {
    origin: String(step.writer).repeat(16) as Origin,
    class: step.class,
    seq,
    hlc: { ms: step.ms, counter: step.counter },
    clock: { quality: 'unknown', bootId: 1, monotonicMs: seq },
    kind: step.kind,
    key: keyOf(step, named),
    body: bodyOf(step, named),
  };
  const hlc = { ms: Math.min(step.ms, 100) + step.stampLagMs, counter: 0 };
  const stamp = { hub: HUB, hlc, authority: step.authority, rosterEpoch: 0 };
  return { bytes: encodeOp(op), op, stamp };
}

/** An undo goes to the record of what it names, mostly. */
function keyOf(step: Step, named: readonly Op[]): string {
  const [first] = named;
  return step.kind === UNDO && first !== undefined ? first.key : (KEYS[step.key] as string);
}

function bodyOf(step: Step, named: readonly Op[]): Uint8Array {
  if (step.kind === REMOVE) return new Uint8Array(0);
  if (step.kind === EVENT) return Uint8Array.of(step.value);
  if (step.kind === ADD) return encodeAdd({ [`f${step.field}`]: step.value - 1 });
  if (step.kind === UNDO) {
    return encodeUndo(named.length > 0 ? named : [{ origin: HUB, class: 2, seq: 1 }]);
  }
  if (step.kind === DOC) return letterOf(step);
  if (step.kind === ASSET) return versionOf(step, named);
  const fields = {
    [`f${step.field}`]: step.value,
    [`f${(step.field + step.value) % 4}`]: 'second',
  };
  if (!step.tells) return encodePatch(fields);
  return encodePatch(fields, { [`f${step.field}`]: named });
}

/** A letter in the text `t` by a client of its writer; some claim the same place, some leave gaps, some are deleted. */
function letterOf({ writer, value, field, tells }: Step): Uint8Array {
  const client = writer + 1;
  const deletes = tells ? [1, client, 1, field, 1] : [0];
  return Uint8Array.from([1, 1, client, value, 4, 1, 1, 0x74, 1, 0x61 + field, ...deletes]);
}

function versionOf({ value, tells }: Step, named: readonly Op[]): Uint8Array {
  const content = { sha256: new Uint8Array(32).fill(value), size: 1 + value, type: 'image/png' };
  return encodeAssetVersion(tells ? { ...content, base: named } : content);
}

/**
 * A history and one shuffle of it with some ops repeated. Of the repeated ones, ops on records may bear another hub's
 * stamp: the history has the smaller of the two.
 */
export const anyShuffledHistory: fc.Arbitrary<{ history: StampedOp[]; shuffled: StampedOp[] }> =
  anyHistory.chain((history) =>
    fc
      .tuple(
        fc.shuffledSubarray(history),
        fc.array(fc.record({ ms: fc.nat({ max: 4 }), authority: fc.integer({ min: 1, max: 3 }) }), {
          minLength: history.length,
          maxLength: history.length,
        }),
      )
      .chain(([again, stamps]) => {
        const stampedAgain = again.map((stamped, index) => otherStamp(stamped, stamps[index]));
        const all = [...history, ...stampedAgain];
        const counting = history.map((stamped) => {
          const other = stampedAgain.find(({ bytes }) => bytes === stamped.bytes);
          if (other === undefined) return stamped;
          return compareStamps(other.stamp, stamped.stamp) < 0 ? other : stamped;
        });
        return fc
          .shuffledSubarray(all, { minLength: all.length })
          .map((shuffled) => ({ history: counting, shuffled }));
      }),
  );

function otherStamp(
  stamped: StampedOp,
  other: { readonly ms: number; readonly authority: number } | undefined,
): StampedOp {
  const { kind } = stamped.op;
  if (other === undefined || kind === EVENT || kind === DOC) return stamped;
  const { ms, authority } = other;
  return {
    ...stamped,
    stamp: { hub: OTHER_HUB, hlc: { ms, counter: 0 }, authority, rosterEpoch: 0 },
  };
}
