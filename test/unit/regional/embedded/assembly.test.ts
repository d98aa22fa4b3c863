import assert from 'node:assert/strict';

import { test } from 'vitest';

import type { BatchId } from '../../../../src/batch/batch-id.ts';
import {
  type Chunk,
  chunkSpan,
  encodeChunk,
  layoutOf,
  parseChunk,
} from '../../../../src/batch/wire/chunks.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { Assembly } from '../../../../src/regional/embedded/assembly.ts';
import { DEFAULT_REGIONAL_LIMITS } from '../../../../src/regional/limits.ts';
import { HUB_ID } from '../../../support/made/batches.ts';

const LAYOUT = layoutOf(1_000, 300);
const WHOLE = Uint8Array.from({ length: 1_000 }, (_, at) => at * 3);

function id(n: number): BatchId {
  return String(n).padStart(32, '0') as BatchId;
}

function chunk(index: number, layout = LAYOUT): Chunk {
  const span = chunkSpan(layout, index);
  const outcome = parseChunk(encodeChunk(WHOLE.subarray(span.from, span.to), layout, index));
  assert.ok(outcome.kind === 'chunk');
  return outcome.chunk;
}

function disk(): SimFiles {
  return new SimFiles({ random: new SeededRandom(1) });
}

function open(files: SimFiles, limits: Partial<typeof DEFAULT_REGIONAL_LIMITS> = {}): Assembly {
  return new Assembly(files, 'incoming', { ...DEFAULT_REGIONAL_LIMITS, ...limits });
}

test('chunks in any order, twice and over a restart are the batch', () => {
  const files = disk();
  const first = open(files);
  for (const index of [3, 0, 3])
    assert.equal(first.put(HUB_ID, id(1), chunk(index)).isComplete, false);
  const second = open(files);
  assert.equal(second.have(HUB_ID, id(1))?.count, 2);
  assert.equal(second.read(HUB_ID, id(1)), undefined);
  assert.equal(second.put(HUB_ID, id(1), chunk(2)).isComplete, false);
  assert.equal(second.put(HUB_ID, id(1), chunk(1)).isComplete, true);
  const third = open(files);
  assert.deepEqual(third.complete(), [{ hub: HUB_ID, batch: id(1) }]);
  assert.deepEqual(third.read(HUB_ID, id(1)), WHOLE);
  third.drop(HUB_ID, id(1));
  assert.deepEqual(files.list('incoming'), []);
});

test('a chunk that rotted on disk is not there any more', () => {
  const files = disk();
  open(files).put(HUB_ID, id(1), chunk(0));
  const [name] = files.list('incoming');
  files.flipBit(`incoming/${name}`, 50, 1);
  assert.equal(open(files).have(HUB_ID, id(1))?.count, 0);
});

test('the part untouched for longest makes room', () => {
  const assembly = open(disk(), { partsMax: 2 });
  assembly.put(HUB_ID, id(1), chunk(0));
  assembly.put(HUB_ID, id(2), chunk(0));
  assembly.put(HUB_ID, id(1), chunk(1));
  assert.deepEqual(assembly.put(HUB_ID, id(3), chunk(0)).evicted, [id(2)]);
  assert.deepEqual(assembly.batchesOf(HUB_ID), [id(1), id(3)]);
  const small = open(disk(), { partBytesMax: 2_500 });
  for (const n of [1, 2, 3]) small.put(HUB_ID, id(n), chunk(0));
  assert.deepEqual(small.batchesOf(HUB_ID), [id(2), id(3)]);
});

test('of two layouts the newer counts', () => {
  const assembly = open(disk());
  const other = layoutOf(1_000, 600);
  assembly.put(HUB_ID, id(1), chunk(0, other));
  const put = assembly.put(HUB_ID, id(1), chunk(0));
  assert.equal(put.isContradiction, true);
  assert.equal(assembly.have(HUB_ID, id(1))?.total, LAYOUT.total);
});

test('files that are none of ours go', () => {
  const files = disk();
  files.makeDir('incoming');
  files.replace('incoming/readme', new Uint8Array(1));
  files.replace(`incoming/${HUB_ID}-${id(1)}-9999-10.part`, new Uint8Array(1));
  open(files);
  assert.deepEqual(files.list('incoming'), []);
});
