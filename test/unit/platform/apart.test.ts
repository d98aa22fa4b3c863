import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { runApart } from '../../../src/platform/apart.ts';

const LIMITS = { heapMib: 64, msMax: 30_000 };

function moduleOf(text: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(text)}`);
}

describe('work in a process of its own', () => {
  it('gives its result, and is what the system ends first where memory runs out', async () => {
    const module = moduleOf(`
      import { readFileSync } from 'node:fs';
      export const run = (input) => [input, readFileSync('/proc/self/oom_score_adj', 'utf8').trim()];
    `);
    assert.deepEqual(await runApart(module, 'in', LIMITS), ['in', '500']);
  });

  it('rejects where it ends without a result, or takes too long', async () => {
    const ending = moduleOf('export const run = () => process.exit(3);');
    await assert.rejects(runApart(ending, undefined, LIMITS), /ended without a result/);
    const hanging = moduleOf(
      'export const run = () => new Promise(() => setInterval(() => {}, 1_000));',
    );
    await assert.rejects(
      runApart(hanging, undefined, { ...LIMITS, msMax: 500 }),
      /more than 0.5 s/,
    );
  });
});
