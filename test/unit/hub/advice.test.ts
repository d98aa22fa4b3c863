/** What the power brain advises really governs: peers, and the attempts to reach the region. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { peerPolicyOf } from '../../../src/hub/sync/peers.ts';
import { pausesOf } from '../../../src/hub/uplink/links.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { type Advice, adviceOf } from '../../../src/power/govern/advice.ts';
import type { Decision, PowerState } from '../../../src/power/govern/decision.ts';
import { Attempts } from '../../../src/uplink/session/attempts.ts';

const HOUR_MS = 3_600_000;

function adviceIn(state: PowerState): Advice {
  return adviceOf({ at: 0, state, allowed: [], deferred: [] } as unknown as Decision);
}

test.each([
  ['normal', 6, 0],
  ['saver', 4, 60_000],
  ['critical', 2, 60_000],
  ['shutdown', undefined, undefined],
] as const)('%s: what goes to other hubs, and how long it gathers', (state, classes, gatherMs) => {
  const policy = peerPolicyOf(state, adviceIn(state));
  assert.equal(policy?.classes.size, classes);
  assert.equal(policy?.gatherMs, gatherMs);
});

/** Attempts that all fail, for six hours. */
async function failures(stateAt: (nowMs: number) => PowerState): Promise<number[]> {
  const clock = new SimClock(0);
  const at: number[] = [];
  const attempts: Attempts = new Attempts({
    clock,
    timers: clock,
    random: new SeededRandom(3),
    pauses: () => pausesOf('cellular', adviceIn(stateAt(clock.monotonicMs()))),
    onAgain: () => {
      at.push(clock.monotonicMs());
      attempts.ended('longer');
    },
    onWayLost: () => undefined,
  });
  attempts.ended('longer');
  await clock.advance(6 * HOUR_MS);
  attempts.stop();
  return at;
}

test('a way that does not answer is probed the more rarely the less energy there is', async () => {
  const surplus = await failures(() => 'surplus');
  const normal = await failures(() => 'normal');
  const critical = await failures(() => 'critical');
  assert.ok(surplus.length > 1.5 * normal.length, `${surplus.length}, ${normal.length}`);
  assert.ok(normal.length > 1.5 * critical.length, `${normal.length}, ${critical.length}`);
});

test('when the sun is back, nobody waits for the pause that darkness made', async () => {
  const at = await failures((nowMs) => (nowMs < 3 * HOUR_MS ? 'critical' : 'surplus'));
  const pauses = at.slice(1).map((ms, index) => ms - (at[index] as number));
  const late = pauses.filter((_, index) => (at[index] as number) > 4.5 * HOUR_MS);
  assert.ok(Math.max(...late) < 600_000, `${Math.max(...late)} ms`);
});
