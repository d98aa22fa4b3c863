/** What a hub refuses of what goes down: which lanes wait, for how long, and which is tried. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { RECORD } from '../../../../src/model/class.ts';
import { laneOf } from '../../../../src/model/origin.ts';
import {
  passingOver,
  type Refused,
  refusing,
  stillRefused,
} from '../../../../src/regional/downlink/refused.ts';
import { DEVICE_A, DEVICE_B } from '../../../support/made/ops.ts';

const [A, B] = [laneOf(DEVICE_A, RECORD), laneOf(DEVICE_B, RECORD)];
const MINUTE_MS = 60_000;
const NONE = Number.MAX_SAFE_INTEGER;

const VECTOR = new Map([[A, 4]]);
const REACHES = new Map([
  [A, 9],
  [B, 2],
]);

function refused(before?: Refused, nowMs = 0): Refused {
  const stands = { vector: VECTOR, reaches: REACHES };
  return refusing(before, stands, 'why', nowMs) ?? assert.fail('nothing is refused');
}

test('waits ten minutes, then twice as long each time, up to a day', () => {
  let known = refused();
  const waited = [known.untilMs / MINUTE_MS];
  for (let round = 0; round < 9; round++) {
    const nowMs = known.untilMs;
    known = refused(known, nowMs);
    waited.push((known.untilMs - nowMs) / MINUTE_MS);
  }
  assert.deepEqual(waited, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
});

test('what follows within the same wait makes it no longer', () => {
  const known = refused();
  const again = refused(known, known.untilMs - 1);
  assert.deepEqual([again.tries, again.untilMs], [known.tries, known.untilMs]);
});

test('nothing of its lanes is looked for, until one at a time is tried', () => {
  const known = refused();
  const held = passingOver(known, VECTOR, 0);
  assert.deepEqual([held.get(A), held.get(B)], [NONE, NONE]);
  const tried = [known, refused(known, known.untilMs)].map((it) => {
    const vector = passingOver(it, VECTOR, it.untilMs);
    return [vector.get(A), vector.get(B)];
  });
  assert.deepEqual(
    tried.toSorted(([a = 0], [b = 0]) => a - b),
    [
      [4, NONE],
      [NONE, undefined],
    ],
    'each in its turn',
  );
});

test('a clock that is set back lets it be tried', () => {
  const known = refused(undefined, 10 * 86_400_000);
  const vector = passingOver(known, VECTOR, 0);
  assert.equal([...vector.values()].filter((seq) => seq === NONE).length, 1);
});

test('a lane in which the hub has moved is refused no more', () => {
  const moved = stillRefused(refused(), new Map([[A, 5]]));
  assert.deepEqual(moved?.lanes, new Map([[B, 0]]));
  assert.equal(stillRefused(moved, REACHES), undefined);
});
