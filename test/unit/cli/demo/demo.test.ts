/** When the demo believes that all is delivered. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { drained } from '../../../../src/cli/demo/demo.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import type { HttpClient } from '../../../../src/platform/network/http/http-client.ts';

const HUB = { http: 'http://hub/' };
const REGION = { http: 'http://region/' };

/** A hub that has counted so many ops at each look, and a region that has stored so many; the last goes on. */
function asked(waiting: number[], stored: number[]): { http: HttpClient; looks: () => number } {
  let looks = 0;
  const next = (of: number[]): number => (of.length > 1 ? of.shift() : of[0]) as number;
  const get = (url: string): Promise<{ text: string }> => {
    if (url.startsWith(REGION.http)) {
      return Promise.resolve({ text: JSON.stringify({ digest: '', ops: next(stored) }) });
    }
    looks += 1;
    const backlog = { telemetry: { ops: next(waiting) }, log: { ops: 3 } };
    return Promise.resolve({ text: JSON.stringify({ backlog }) });
  };
  return { http: { get } as unknown as HttpClient, looks: () => looks };
}

const { signal } = new AbortController();
const timers = machineTimers;
const parts = { hub: HUB, region: REGION, acknowledged: 10 };

test('that nothing waits is not believed while the region lacks what was acknowledged', async () => {
  const { http, looks } = asked([4, 0, 6, 0], [4, 10]);
  assert.equal(await drained({ http, timers, signal }, { ...parts, speed: 2_160 }), 0);
  assert.equal(looks(), 4);
});

test('the time for it ends, and tells what waits', async () => {
  const { http } = asked([4], [4]);
  assert.equal(await drained({ http, timers, signal }, { ...parts, speed: 400_000 }), 4);
});
