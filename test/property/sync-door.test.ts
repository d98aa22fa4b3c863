/** Whatever stands in a field of a message: who sent it is told, and others are served as before. */
import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { decodeCbor } from '../../src/codec/reader.ts';
import type { CborMap, CborValue } from '../../src/codec/value.ts';
import { encodeCbor } from '../../src/codec/writer.ts';
import { laneOf } from '../../src/model/origin.ts';
import { encodePull } from '../../src/protocol/pull-message.ts';
import { EVERYTHING } from '../../src/protocol/scope.ts';
import { DEVICE_A, patchOp, removeOp, stampedOp } from '../support/made/ops.ts';
import { PullingDevice, PullSite } from '../support/simulated/pull-site.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const DEEP = Array.from({ length: 100 }).reduce<CborValue>((inner) => [inner], 1);
/** What no honest device would say. */
const ODD: readonly CborValue[] = [
  null,
  true,
  -1,
  0,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  '',
  'x'.repeat(2_000),
  '\u0000',
  new Uint8Array(0),
  new Uint8Array(8).fill(0xff),
  [],
  Array.from({ length: 20_000 }, () => 0),
  new Map(),
  new Map([['ops', []]]),
  DEEP,
];

/** The value with the `at`-th of its parts, counted from the outside, become another one. */
function changed(value: CborValue, at: number, to: CborValue): CborValue {
  let left = at;
  const walk = (part: CborValue): CborValue => {
    left -= 1;
    if (left === -1) return to;
    if (Array.isArray(part)) return part.map((each: CborValue) => walk(each));
    if (!(part instanceof Map)) return part;
    return new Map([...(part as CborMap)].map(([key, each]) => [key, walk(each)]));
  };
  return walk(value);
}

function partsOf(value: CborValue): number {
  if (Array.isArray(value))
    return value.reduce<number>((sum, each: CborValue) => sum + partsOf(each), 1);
  if (!(value instanceof Map)) return 1;
  return [...(value as CborMap).values()].reduce<number>((sum, each) => sum + partsOf(each), 1);
}

/** One field of the message after the other, as each of the odd values. */
function* mutantsOf(bytes: Uint8Array): Generator<Uint8Array> {
  const value = decodeCbor(bytes);
  for (let at = 0; at < partsOf(value); at++) {
    for (const odd of ODD) yield encodeCbor(changed(value, at, odd));
  }
}

/** Where a device broke off, as a hub would tell it. */
const MARK = encodeCbor([new Uint8Array(8).fill(0x11), 1, 2, new Uint8Array(3), []]);

describe('a device that says anything at all in any field', () => {
  it('of a pull, harms no other pull', async () => {
    const site = new PullSite(tempDir());
    site.take([patchOp({ n: 1 }), stampedOp({})]);
    const vector = new Map([[laneOf(DEVICE_A, 2), 1]]);
    const open = { kind: 'open', pull: 7, credit: 4, scope: EVERYTHING, vector } as const;
    const messages = [
      encodePull(open),
      encodePull({ ...open, resume: MARK }),
      encodePull({ kind: 'taken', pull: 7, page: 1 }),
      encodePull({ kind: 'close', pull: 7 }),
    ];
    for (const message of messages) {
      for (const mutant of [message, ...mutantsOf(message)]) {
        new PullingDevice(site, 'liar').send(mutant);
      }
      await site.settle();
    }
    for (const odd of mutantsOf(MARK)) {
      new PullingDevice(site, 'liar').send(encodePull({ ...open, resume: odd }));
      await site.settle();
    }
    const honest = new PullingDevice(site, 'honest');
    honest.open();
    await honest.catchUp();
    site.take([patchOp({ n: 2 }, { seq: 2 }), removeOp({ seq: 3, atMs: 2_000 })]);
    await honest.catchUp();
    assert.equal(honest.digest(), site.store.digest().digest);
    assert.ok(site.door.size <= 9, `${site.door.size} pulls`);
    site.close();
  });
});
