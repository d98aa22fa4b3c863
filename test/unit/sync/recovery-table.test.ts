/** The recovery table: every state is provoked, and its document says the same. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';

import { FAULTS, type FaultCode } from '../../../src/base/errors.ts';
import {
  RECOVERY_TABLE,
  type SyncEvidence,
  type SyncStateName,
  syncStatesOf,
} from '../../../src/sync/recovery-table.ts';
import { readText } from '../../tidy/tree.ts';

const HEALTHY: SyncEvidence = { faults: new Set(), clock: 'ntp', hasUplink: true };

function faults(...codes: FaultCode[]): SyncEvidence {
  return { ...HEALTHY, faults: new Set(codes) };
}

const PROVOKED: readonly (readonly [SyncStateName, SyncEvidence])[] = [
  ['journal lost', faults('journal.lost')],
  ['journal cut', faults('journal.cut')],
  ['journal damaged', faults('journal.poisoned')],
  ['journal damaged', { ...HEALTHY, damagedRanges: 1 }],
  ['identity clash', faults('uplink.wrong-region')],
  ['identity clash', faults('ledger.forked')],
  ['identity clash', faults('peer.copied')],
  ['identity clash', faults('keys.lost')],
  ['identity clash', faults('keys.foreign')],
  ['quarantined', { ...HEALTHY, quarantinedRanges: 2 }],
  ['forgotten upstream', faults('uplink.forgotten')],
  ['diverged', { ...HEALTHY, digests: 'different' }],
  ['upstream refused', faults('uplink.refused')],
  ['upstream refused', faults('batch.rejected')],
  ['clock unknown', { ...HEALTHY, clock: 'unknown' }],
  ['peers apart', { ...HEALTHY, faults: new Set(['peer.stuck'] as const) }],
  ['held elsewhere', faults('peer.lacking')],
  ['behind', { ...HEALTHY, waiting: ['record'], overdue: ['record'] }],
  ['behind', { ...faults('uplink.unreachable'), waiting: ['telemetry'] }],
  ['behind', { ...faults('uplink.failed'), waiting: ['telemetry'] }],
  ['catching up', { ...HEALTHY, waiting: ['telemetry'] }],
  ['catching up', { ...HEALTHY, isCounting: true }],
  ['no uplink', { ...HEALTHY, hasUplink: false }],
  ['in sync', HEALTHY],
  ['in sync', { ...faults('uplink.unreachable'), waiting: [] }],
  ['in sync', { ...HEALTHY, digests: 'equal' }],
];

describe('states', () => {
  test.each(PROVOKED)('%s is recognised', (name, evidence) => {
    assert.equal(syncStatesOf(evidence)[0].name, name);
  });

  test('every state was provoked', () => {
    const provoked = new Set(PROVOKED.map(([name]) => name));
    assert.deepEqual(
      RECOVERY_TABLE.map(({ name }) => name).filter((name) => !provoked.has(name)),
      [],
    );
  });

  test('the worst comes first, the others beside it, and in sync never beside anything', () => {
    const evidence: SyncEvidence = {
      ...faults('uplink.refused'),
      clock: 'unknown',
      waiting: ['alarm'],
      quarantinedRanges: 1,
    };
    assert.deepEqual(
      syncStatesOf(evidence).map(({ name }) => name),
      ['quarantined', 'upstream refused', 'clock unknown', 'catching up'],
    );
  });

  test('the order of the table is the order of severity', () => {
    const rank = { wrong: 0, watch: 1, good: 2 };
    const ranks = RECOVERY_TABLE.map(({ severity }) => rank[severity]);
    assert.deepEqual(
      ranks,
      ranks.toSorted((a, b) => a - b),
    );
  });

  test('any set of faults has a state', () => {
    const codes = fc.subarray(Object.keys(FAULTS) as FaultCode[]);
    fc.assert(fc.property(codes, (found) => syncStatesOf({ faults: new Set(found) }).length >= 1));
  });
});

describe('RECOVERY.md', () => {
  const document = readText('src/sync/RECOVERY.md');

  test('has a row for each state, in order', () => {
    const rows = RECOVERY_TABLE.map(
      ({ name, severity, recognisedBy, meaning }) =>
        `| ${name} | ${severity} | ${recognisedBy} | ${meaning} |`,
    );
    assert.ok(document.includes(`| --- | --- | --- | --- |\n${rows.join('\n')}\n\n`));
  });

  test('has the steps of each state, in order, and no others', () => {
    const parts = RECOVERY_TABLE.map(
      ({ name, steps }) =>
        `### ${name}\n\n${steps.map((step, index) => `${index + 1}. ${step}`).join('\n')}\n`,
    );
    const from = document.indexOf('### ');
    const to = document.indexOf('\n## ', from);
    assert.equal(document.slice(from, to), parts.join('\n'));
  });

  test('names faults and commands that exist', () => {
    const named = [...document.matchAll(/`([a-z]+\.[a-z-]+)`/g)].map(([, code]) => code ?? '');
    const keys = new Set([
      'uplink.url',
      'uplink.username',
      'runtime.json',
      'hub.pem',
      'hub.id',
      'state.db',
      'peer.state-refused',
    ]);
    assert.deepEqual(
      named.filter((code) => !(code in FAULTS) && !keys.has(code)),
      [],
    );
  });
});
