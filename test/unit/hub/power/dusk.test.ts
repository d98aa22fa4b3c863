import assert from 'node:assert/strict';
import { expect, test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { Dusk } from '../../../../src/hub/power/dusk.ts';
import { perClass } from '../../../../src/model/class.ts';
import type { Decision } from '../../../../src/power/govern/decision.ts';

const NOON_MS = Date.parse('2026-03-01T12:00:00Z');

function decision(state: Decision['state'], readyToPowerOff = false): Decision {
  const none = { allowed: [], riding: [], deferred: [], numbers: {} };
  const permissions = perClass(() => 'no' as const);
  return { at: 0, state, permissions, why: '', readyToPowerOff, backAtMs: NOON_MS, ...none };
}

function duskOf(settle: () => Promise<unknown>): {
  readonly dusk: Dusk;
  readonly decide: (decision: Decision) => void;
  readonly done: string[];
} {
  const done: string[] = [];
  let decide: (decision: Decision) => void = () => undefined;
  const dusk = new Dusk({
    monitor: {
      onDecision: (listener) => {
        decide = listener;
        return () => undefined;
      },
      append: ({ why }) => {
        done.push(why ?? '');
        return undefined;
      },
      save: async () => void done.push('saved'),
    },
    settle: [settle, () => Promise.resolve(done.push('settled'))],
    log: SILENT_LOG,
  });
  return {
    dusk,
    decide: (it) => {
      decide(it);
    },
    done,
  };
}

test('shutdown brings everything to the card once, and once more before the site may be switched off', async () => {
  const { dusk, decide, done } = duskOf(() => Promise.resolve());
  for (const it of [decision('critical'), decision('shutdown'), decision('shutdown')]) decide(it);
  decide(decision('shutdown', true));
  decide(decision('shutdown'));
  await dusk.close();
  const back = 'everything is on the card; back about 2026-03-01 12:00 UTC';
  expect(done).toEqual([
    'settled',
    'saved',
    back,
    'settled',
    'saved',
    `the site may be switched off: ${back}`,
  ]);
});

test('the next dark is a new one; a journal at fault says so itself', async () => {
  const { dusk, decide, done } = duskOf(() => Promise.resolve());
  for (const state of ['shutdown', 'critical', 'shutdown'] as const) decide(decision(state));
  await dusk.close();
  assert.equal(done.filter((it) => it === 'settled').length, 2);
  const broken = duskOf(() => Promise.reject(new HubError('journal.full', 'no room')));
  broken.decide(decision('shutdown'));
  await broken.dusk.close();
  assert.deepEqual(broken.done, []);
});
