import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type Log, SILENT_LOG } from '../../../../src/base/log.ts';
import { FullDoor } from '../../../../src/hub/limits/full-door.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { NOON_MS } from '../../../support/made/status.ts';

test('who finds no place is counted, said once, and a fault until nobody was turned away for a minute', async () => {
  const clock = new SimClock(NOON_MS);
  const said: string[] = [];
  const log: Log = { ...SILENT_LOG, warn: (event) => said.push(event) };
  const door = new FullDoor('broker.full', 2, { clock, log });
  const faultText = (): string | undefined => door.fault?.message;
  assert.equal(faultText(), undefined);
  door.note();
  door.note();
  assert.deepEqual([door.turnedAway, said], [2, ['broker.full']]);
  assert.equal(faultText(), 'all 2 connections are taken, 2 were turned away');
  await clock.advance(60_000);
  assert.equal(faultText(), undefined);
  door.note();
  assert.deepEqual(said, ['broker.full', 'broker.full']);
});
