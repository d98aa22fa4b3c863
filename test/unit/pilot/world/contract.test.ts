import assert from 'node:assert/strict';
import { test } from 'vitest';

import { ALARM, BULK, PREVIEW, RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { Contract } from '../../../../src/pilot/world/contract.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';

const MIB = 1 << 20;
const CLASSES = [ALARM, RECORD, TELEMETRY, PREVIEW, BULK] as const;

function contractOf(at: string): { readonly clock: SimClock; readonly contract: Contract } {
  const clock = new SimClock(Date.parse(at));
  return { clock, contract: new Contract(clock, 1) };
}

function carry(contract: Contract, bytes: number): void {
  contract.begin('cellular');
  contract.count(bytes);
}

function covered(contract: Contract): number[] {
  contract.begin('cellular');
  return CLASSES.filter((it) => contract.covers(it));
}

test('a session may carry what the month had bytes for when it began', () => {
  const { contract } = contractOf('2026-03-10T00:00:00Z');
  carry(contract, 0.9 * MIB);
  assert.ok(contract.covers(BULK), 'the session that uses it up');
  assert.deepEqual(covered(contract), [ALARM, RECORD, TELEMETRY]);
  carry(contract, 0.2 * MIB);
  assert.deepEqual(covered(contract), [ALARM, RECORD]);
  const bytes = Math.round(1.1 * MIB);
  const [use] = contract.use();
  assert.deepEqual(
    { ...use, bytes: Math.round(use?.bytes ?? 0) },
    { month: '2026-03', link: 'cellular', bytes, bytesMax: MIB },
  );
});

test('what a dead hub could not count is held against nobody', () => {
  const { contract } = contractOf('2026-03-10T00:00:00Z');
  carry(contract, 0.9 * MIB);
  contract.forgotten();
  assert.deepEqual(covered(contract), [...CLASSES]);
  const { contract: between } = contractOf('2026-03-10T00:00:00Z');
  carry(between, 0.82 * MIB);
  between.end();
  assert.ok(!covered(between).includes(BULK));
  between.end();
  between.forgotten();
  assert.ok(covered(between).includes(BULK), 'its last count may not have been saved');
});

test('each month and each link has its own bytes; around its turn nobody is judged', async () => {
  const { contract, clock } = contractOf('2026-03-31T10:00:00Z');
  carry(contract, 2 * MIB);
  assert.deepEqual(covered(contract), [ALARM, RECORD]);
  contract.begin('wifi');
  assert.ok(contract.covers(BULK));
  await clock.advance(4 * 3_600_000);
  assert.deepEqual(covered(contract), [...CLASSES]);
  await clock.advance(24 * 3_600_000);
  assert.deepEqual(covered(contract), [...CLASSES]);
  assert.deepEqual(
    contract.use().map(({ month, link }) => `${month} ${link}`),
    ['2026-03 cellular'],
  );
});
