import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { CLASS_NAMES, CLASSES, classNamed, isOpClass, perClass } from '../../../src/model/class.ts';
import {
  bytesOfOrigin,
  laneOf,
  originAt,
  originOfBytes,
  originOfText,
  splitLane,
} from '../../../src/model/origin.ts';
import { anyClass, anyOrigin } from '../../support/made/arbitrary.ts';

test('an origin is known by its bytes, not by the buffer they once lay in', () => {
  const bytes = Buffer.from('49021dd24d29211c', 'hex');
  assert.equal(originAt(bytes, 0), '49021dd24d29211c');
  bytes.set(Buffer.from('a1b2c3d4e5f6071c', 'hex'));
  assert.equal(originAt(bytes, 0), 'a1b2c3d4e5f6071c');
  assert.equal(originAt(Buffer.from('a1b2c3d4e5f6071c', 'hex'), 0), 'a1b2c3d4e5f6071c');
});

test('an origin is its 8 bytes as hex, there and back', () => {
  fc.assert(
    fc.property(anyOrigin, (origin) => {
      assert.equal(originOfBytes(bytesOfOrigin(origin)), origin);
      assert.equal(originOfText(origin), origin);
    }),
  );
  assert.equal(originOfBytes(new Uint8Array(7)), undefined);
  for (const text of ['', '0123456789abcde', '0123456789abcdef0', '0123456789ABCDEF']) {
    assert.equal(originOfText(text), undefined, text);
  }
});

test('a lane is an origin and a class, there and back', () => {
  fc.assert(
    fc.property(anyOrigin, anyClass, (origin, opClass) => {
      assert.deepEqual(splitLane(laneOf(origin, opClass)), { origin, class: opClass });
    }),
  );
});

test('classes have their names by number, and nothing else is one', () => {
  assert.deepEqual(
    CLASSES.map((opClass) => classNamed(CLASS_NAMES[opClass])),
    [...CLASSES],
  );
  assert.equal(classNamed('urgent'), undefined);
  for (const value of [-1, 7, 1.5, Number.NaN]) assert.ok(!isOpClass(value));
  assert.deepEqual(Object.values(perClass((opClass) => opClass * 2)), [0, 2, 4, 6, 8, 10, 12]);
});
