/** A summary of format 1, as first written: read, and made again from the same ops. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { textOf } from '../../src/base/bytes.ts';
import { parseSummary, SummaryFold } from '../../src/batch/summary.ts';
import { TELEMETRY } from '../../src/model/class.ts';
import { numbersIn } from '../../src/store/readings/summary.ts';
import { START_MS, stampedOps } from '../support/made/batches.ts';

const golden = readFileSync(join(import.meta.dirname, 'summary-1.json'));

test('format 1 is read', () => {
  const summary = parseSummary(golden);
  assert.equal(summary?.ops, 30);
  assert.deepEqual(Object.keys(summary?.series ?? {}), [
    'meters/1/power',
    'meters/2/power',
    'meters/0/power',
  ]);
});

test('format 1 is written as it was', () => {
  const fold = new SummaryFold(TELEMETRY, 900);
  for (const { op } of stampedOps(1, 30)) {
    const atMs = START_MS + op.seq * 60_000;
    fold.add({ ...op, atMs, numbers: numbersIn(op.body) });
  }
  assert.equal(`${textOf(fold.finish(1, 30) ?? new Uint8Array())}\n`, golden.toString());
});
