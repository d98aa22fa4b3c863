import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  ALARM,
  BULK,
  COMMAND,
  LOG,
  PREVIEW,
  RECORD,
  TELEMETRY,
} from '../../../../src/model/class.ts';
import { decisionKey } from '../../../../src/power/govern/decision.ts';
import {
  FIRST_MEMORY,
  govern,
  type GovernorInput,
  type Verdict,
} from '../../../../src/power/govern/governor.ts';
import { backlogOf, estimateOf, HOUR_MS, inputOf, MINUTE_MS } from '../support.ts';

/** The verdict after a quarter of an hour at one level. */
function settled(socPct: number | undefined, more: Parameters<typeof inputOf>[2] = {}): Verdict {
  let verdict: Verdict = govern(inputOf(socPct, 0, more), FIRST_MEMORY);
  for (let nowMs = 10_000; nowMs <= 15 * MINUTE_MS; nowMs += 10_000) {
    verdict = govern(inputOf(socPct, nowMs, more), verdict.memory);
  }
  return verdict;
}

const EVERYTHING = backlogOf({
  0: { oldestMs: 1_000 },
  1: { oldestMs: 1_000 },
  2: { oldestMs: 1_000 },
  3: { oldestMs: 1_000 },
  4: { oldestMs: 1_000 },
  5: { oldestMs: 1_000 },
  6: { oldestMs: 1_000 },
});

test('a fresh backlog on a fair battery: alarms and commands go, the rest gathers', () => {
  const { decision } = settled(70, { backlog: EVERYTHING });
  assert.equal(decision.state, 'normal');
  assert.deepEqual(decision.allowed, [ALARM, COMMAND]);
  assert.deepEqual(decision.riding, [ALARM, COMMAND, RECORD, TELEMETRY, PREVIEW, BULK, LOG]);
  const records = decision.deferred.find((it) => it.class === RECORD);
  assert.equal(records?.code, 'budget');
  assert.ok((records?.untilMs ?? 0) > decision.at);
});

test('what has gathered long enough opens a session, and takes every higher class with it', () => {
  const backlog = backlogOf({ 2: { oldestMs: 1_000 }, 3: { oldestMs: 4 * HOUR_MS } });
  const { decision } = settled(70, { backlog });
  assert.deepEqual(decision.allowed, [ALARM, COMMAND, RECORD, TELEMETRY]);
  assert.deepEqual(decision.deferred, []);
});

test('saver: photos wait for the battery, readings until shortly before they are due', () => {
  const backlog = backlogOf({ 3: { oldestMs: 2 * HOUR_MS }, 5: { oldestMs: HOUR_MS } });
  const { decision } = settled(41, { backlog });
  assert.equal(decision.state, 'saver');
  assert.deepEqual(decision.allowed, [ALARM, COMMAND]);
  assert.deepEqual(
    decision.deferred.map((it) => [it.class, it.code]),
    [
      [TELEMETRY, 'deadline'],
      [BULK, 'battery'],
    ],
  );
  assert.match(
    decision.why,
    /^readings wait: [^;]* \(in 21 h\); files wait: battery 41 % below 55 %; alarms and commands go$/,
  );
});

test('saver: a reading that would come late opens the session', () => {
  const backlog = backlogOf({ 3: { oldestMs: 23.5 * HOUR_MS }, 5: { oldestMs: HOUR_MS } });
  const { decision } = settled(41, { backlog });
  assert.ok(decision.allowed.includes(TELEMETRY));
  assert.ok(!decision.riding.includes(BULK));
});

test('critical: only alarms and commands open, records ride', () => {
  const { decision } = settled(18, { backlog: EVERYTHING });
  assert.deepEqual(decision.allowed, [ALARM, COMMAND]);
  assert.deepEqual(decision.riding, [ALARM, COMMAND, RECORD]);
  const ride = decision.deferred.find((it) => it.class === RECORD);
  assert.equal(ride?.reason, 'battery 18 % below 30 %');
});

test('shutdown: nothing at all, and the sentence says why', () => {
  const { decision } = settled(9, { backlog: EVERYTHING });
  assert.deepEqual([decision.allowed, decision.riding], [[], []]);
  assert.match(decision.why, /battery 9 % below 25 %/);
  assert.match(decision.why, /nothing goes$/);
});

test('unknown: cautious, and it says that nothing is known', () => {
  const { decision } = settled(undefined, { backlog: EVERYTHING });
  assert.deepEqual(decision.allowed, [ALARM, COMMAND]);
  assert.deepEqual(decision.riding, [ALARM, COMMAND, RECORD, TELEMETRY]);
  assert.match(decision.why, /too few fresh readings of the battery/);
});

test('surplus: everything may open a session, but never the log', () => {
  const estimateAt = (input: GovernorInput): GovernorInput => ({
    ...input,
    estimate: estimateOf(97, input.nowMs, { pvW: 30, loadW: 4 }),
  });
  let verdict = govern(estimateAt(inputOf(97, 0)), FIRST_MEMORY);
  for (let nowMs = 0; nowMs < HOUR_MS; nowMs += 10_000) {
    const input = inputOf(97, nowMs, { backlog: EVERYTHING, linkKind: 'ethernet' });
    verdict = govern(estimateAt(input), verdict.memory);
  }
  assert.equal(verdict.decision.state, 'surplus');
  assert.deepEqual(verdict.decision.allowed, [ALARM, COMMAND, RECORD, TELEMETRY, PREVIEW, BULK]);
});

test('a wire does not gather, a radio does', () => {
  const backlog = backlogOf({ 3: { oldestMs: MINUTE_MS } });
  assert.ok(settled(70, { backlog, linkKind: 'ethernet' }).decision.allowed.includes(TELEMETRY));
  assert.ok(!settled(70, { backlog, linkKind: 'cellular' }).decision.allowed.includes(TELEMETRY));
  assert.ok(!settled(70, { backlog, linkKind: 'satellite' }).decision.allowed.includes(TELEMETRY));
});

test('two decisions are the same when only figures moved', () => {
  const older = settled(41.2, { backlog: backlogOf({ 5: { oldestMs: HOUR_MS } }) }).decision;
  const newer = settled(40.8, { backlog: backlogOf({ 5: { oldestMs: 2 * HOUR_MS } }) }).decision;
  assert.equal(decisionKey(older), decisionKey(newer));
  assert.notEqual(decisionKey(older), decisionKey(settled(20).decision));
});
