import assert from 'node:assert/strict';
import { test } from 'vitest';

import { Recorder } from '../../../src/pilot/recorder.ts';

test('the region is out of reach for as long as any fault keeps it so, each hour once', () => {
  const recorder = new Recorder();
  assert.equal(recorder.awayMs, 0);
  const minutes = (count: number): number => count * 60_000;
  recorder.fault(minutes(0), 60, 'the regional node is down for 1 h', true);
  recorder.fault(minutes(10), 20, 'link down for 20 min', true);
  recorder.fault(minutes(50), 30, 'link portal for 30 min', true);
  recorder.fault(minutes(200), 60, 'link slow for 60 min', false);
  recorder.fault(minutes(300), 5, 'link down for 5 min', true);
  assert.equal(recorder.awayMs, minutes(85));
});
