import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Latencies, medianOf } from '../../../../src/cli/bench/load/latencies.ts';
import { type Figures, mediansOf } from '../../../../src/cli/bench/measure.ts';
import { reportLines } from '../../../../src/cli/bench/report.ts';

const FIGURES: Figures = {
  startMs: 300,
  msgsPerS: 100_000,
  deliveredPerS: 0,
  drainedPerS: 0,
  ackP50Ms: 1,
  ackP99Ms: 5,
  cpuS: 2,
  cpuSPerMillion: 4,
  rssIdleMb: 60,
  rssPeakMb: 90,
  syncs: 1_000,
  writtenBytesPerMsg: 260,
};

test('percentiles are samples, nearest rank', () => {
  const latencies = new Latencies();
  for (let sample = 100; sample >= 1; sample--) latencies.add(sample);
  assert.deepEqual(latencies.percentilesMs([0.5, 0.99, 1]), [50, 99, 100]);
  assert.deepEqual(new Latencies().percentilesMs([0.5, 0.99]), [0, 0]);
});

test('the median of an odd and an even number of values', () => {
  assert.equal(medianOf([9, 1, 5]), 5);
  assert.equal(medianOf([9, 1, 5, 3]), 4);
});

test('each figure has its own median', () => {
  const runs = [10, 30, 20].map((value) => ({ ...FIGURES, msgsPerS: value, ackP99Ms: 40 - value }));
  const medians = mediansOf(runs);
  assert.equal(medians.msgsPerS, 20);
  assert.equal(medians.ackP99Ms, 20);
  assert.equal(medians.syncs, 1_000);
});

test('the table has a line for each broker and the ratio below them', () => {
  const row = {
    name: 'window20',
    title: '20 connections, window 20, QoS 1',
    measure: 'msgsPerS',
    brokers: { heliograph: FIGURES, mosquitto: { ...FIGURES, msgsPerS: 50_000 } },
    ratio: 2,
  } as const;
  const [head, blank, title, ours, theirs, ratio, ...rest] = reportLines([row]);
  assert.match(head ?? '', /msgs\/s .* p99 ms .* B written\/msg$/);
  assert.equal(blank, '');
  assert.equal(title, row.title);
  assert.match(ours ?? '', /^heliograph +100,000 /);
  assert.match(theirs ?? '', /^mosquitto +50,000 /);
  assert.equal(ratio, 'ratio of msgs/s: 2.00');
  assert.deepEqual(rest, []);
});
