/** Columns of every format that was ever written still read. The files are never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { hexOf, textOf } from '../../src/base/bytes.ts';
import { encodeOp, type StampedOp } from '../../src/model/op.ts';
import { decodeColumns, WIDE_LIMITS } from '../support/made/columns.ts';

function golden(name: string): Buffer {
  return readFileSync(join(import.meta.dirname, name));
}

/** Everything of an op and its stamp; the body as text where it is one. */
function readable({ op, stamp }: StampedOp): unknown {
  return { ...op, body: textOf(op.body) ?? { hex: hexOf(op.body) }, stamp };
}

test('columns of format 1 read as their dump says', () => {
  const outcome = decodeColumns(golden('columns-1.cbor'), WIDE_LIMITS);
  assert.ok(outcome.kind === 'ops');
  const dump: unknown = JSON.parse(golden('columns-1.json').toString());
  assert.deepEqual(outcome.ops.map(readable), dump);
  for (const { bytes, op } of outcome.ops) assert.deepEqual(bytes, encodeOp(op));
});
