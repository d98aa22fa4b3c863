/** The thresholds in OPERATING.md are those that the governor uses. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  type Chemistry,
  type Thresholds,
  thresholdsFor,
} from '../../src/power/govern/thresholds.ts';
import { readText } from './tree.ts';

const ROWS: readonly (readonly [label: string, Chemistry, 'percent' | 'volts'])[] = [
  ['LiFePO4, %', 'lifepo4', 'percent'],
  ['lead-acid, %', 'lead-acid', 'percent'],
  ['LiFePO4, V', 'lifepo4', 'volts'],
  ['lead-acid, V', 'lead-acid', 'volts'],
];

function rowOf(label: string, { bulk, telemetry, alarmsStop, shutdown }: Thresholds): string {
  const pair = (step: { pause: number; resume: number }): string =>
    `${step.pause} / ${step.resume}`;
  return `| ${[label, pair(bulk), pair(telemetry), alarmsStop, pair(shutdown)].join(' | ')} |`;
}

test('the table under Power holds the default thresholds', () => {
  const operating = readText('deploy/OPERATING.md');
  for (const [label, chemistry, unit] of ROWS) {
    const row = rowOf(label, thresholdsFor(chemistry, 12)[unit]);
    assert.ok(operating.includes(`\n${row}\n`), `OPERATING.md has the row ${row}`);
  }
});
