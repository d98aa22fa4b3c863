/**
 * Ops that no honest hub would let through its door, in batches that one has signed all the same: every kind of storage takes
 * them, and all come to the same state.
 */
import assert from 'node:assert/strict';

import { afterAll, beforeAll, test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { below } from '../../../src/base/random.ts';
import type { BatchId } from '../../../src/batch/batch-id.ts';
import { encodeAssetVersion } from '../../../src/merge/asset/asset-version.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../../src/merge/patch.ts';
import { encodeHorizon, NO_BASE } from '../../../src/merge/record/horizon.ts';
import { CLASSES } from '../../../src/model/class.ts';
import {
  ADD,
  ASSET,
  CONTROL,
  DOC,
  EVENT,
  type Kind,
  type Op,
  PATCH,
  type StampedOp,
  UNDO,
} from '../../../src/model/op.ts';
import { laneOf, type Origin } from '../../../src/model/origin.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { batchOf, HUB_ID, stampedOp, START_MS } from '../../support/made/batches.ts';
import { mutated } from '../../support/made/mutations.ts';
import { keepBatch, placeOf, STORAGES } from '../../support/memory/site-storages.ts';

const BATCHES = 60;
const ORIGINS = [HUB_ID, '00'.repeat(8) as Origin, 'ff'.repeat(8) as Origin];
const KEYS = ['a', 'a\0b', 'ß/漢', '😀', 'k'.repeat(1_024), '"\\', '%s'];
/** Around the ends of what tables and times hold. */
const NUMBERS = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 253_402_300_799_999, 2 ** 53 - 1];
const TIMES = [0, START_MS, 2 ** 48 - 1];
const TEXTS = [
  '{"a":1e999,"b\\u0000":"\\u0000"}',
  '-0',
  '{"__proto__":3}',
  '"\\ud800"',
  '\xff',
  '',
];
const VALUES = [null, true, 2 ** 53 - 1, 1e300, Infinity, Number.NaN, 'x\0y', [1, ['x']]];

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

class OddOps {
  readonly #random: SeededRandom;
  readonly #seqs = new Map<string, number>();
  /** Of which some may be named by undos and horizons. */
  readonly #past: Op[] = [];

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  batch(): StampedOp[] {
    const opClass = this.#one(CLASSES);
    return Array.from({ length: 1 + below(this.#random, 6) }, () => {
      const origin = this.#one(ORIGINS);
      const lane = laneOf(origin, opClass);
      const seq = (this.#seqs.get(lane) ?? 0) + 1;
      this.#seqs.set(lane, seq);
      const kind = below(this.#random, CONTROL + 1) as Kind;
      const hlc = { ms: this.#one(TIMES), counter: this.#one([0, 0xffff]) };
      const bootId = this.#one([0, 7, 2 ** 31, 2 ** 32 - 1]);
      const quality = this.#one(['unknown', 'rtc', 'ntp'] as const);
      const clock = { quality, bootId, monotonicMs: this.#one(NUMBERS) };
      const parts = { class: opClass, origin, kind, key: this.#one(KEYS), hlc, clock };
      const made = stampedOp(seq, { ...parts, body: this.#body(kind) });
      this.#past.push(made.op);
      const stampHlc = { ms: this.#one(TIMES), counter: 3 };
      const authority = 1 + below(this.#random, 4);
      const stamp = { hub: HUB_ID, hlc: stampHlc, authority, rosterEpoch: this.#one(NUMBERS) };
      return { ...made, stamp };
    });
  }

  #body(kind: Kind): Uint8Array {
    const body = this.#trueBody(kind);
    return below(this.#random, 3) === 0 ? mutated(body, this.#random) : body;
  }

  #trueBody(kind: Kind): Uint8Array {
    const named = this.#past.length === 0 ? undefined : this.#one(this.#past);
    const ids = named === undefined ? [] : [named];
    if (kind === EVENT) return utf8(this.#one(TEXTS));
    if (kind === PATCH)
      return encodePatch({ [this.#one(['f', 'f\0'])]: this.#one(VALUES) }, { f: ids });
    if (kind === ADD) return encodeAdd({ [this.#one(['f', 'n\0'])]: this.#one([1, 2 ** 53 - 1]) });
    if (kind === DOC) return Uint8Array.of(0, 0);
    if (kind === ASSET) {
      const sha256 = new Uint8Array(32).fill(below(this.#random, 2));
      return encodeAssetVersion({ sha256, size: 10, type: 'image/jpeg', note: 'n\0', base: ids });
    }
    if (kind === UNDO) return encodeUndo(ids);
    const upTo =
      named === undefined ? [] : ([[laneOf(named.origin, named.class), named.seq]] as const);
    return encodeHorizon({ ...NO_BASE, vector: new Map(upTo) });
  }

  #one<T>(items: readonly T[]): T {
    return items[below(this.#random, items.length)] as T;
  }
}

test.each([1, 2, 3])('any ops, the same state in each kind of storage, seed %i', async (seed) => {
  const odd = new OddOps(seed);
  const places = await Promise.all(STORAGES.kinds.map(async ([, make]) => placeOf(await make())));
  let previous: BatchId | undefined;
  for (let at = 0; at < BATCHES; at++) {
    const ops = odd.batch();
    const batch = await batchOf(ops, { previous, fromLsn: 10 * at + 1, throughLsn: 10 * at + 9 });
    previous = batch.id;
    for (const { site } of places) {
      assert.equal((await keepBatch(site, batch)).kind, 'kept');
      // What is made of them for people.
      await site.hubs();
    }
  }
  const [first, ...others] = await Promise.all(places.map(({ site }) => site.digest()));
  for (const other of others) assert.deepEqual(other, first);
  for (const place of places) await place.close();
});
