/** What is granted is noted with an op of the hub when it has changed, and not at every start. */
import assert from 'node:assert/strict';

import { beforeEach, onTestFinished, test } from 'vitest';

import { HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { NotedRights } from '../../../../src/hub/sync/rights.ts';
import type { OpId } from '../../../../src/merge/op-id.ts';
import { RECORD } from '../../../../src/model/class.ts';
import type { Grant } from '../../../../src/security/acl.ts';
import type { Store } from '../../../../src/store/store.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { HUB, stampedOp } from '../../../support/made/ops.ts';
import { openStore } from '../../../support/memory/stores.ts';

const READS: Grant = { user: 'lena', role: '', publish: [], read: ['orders/#'] };

let store: Store;
let seq: number;
let full: HubError | undefined;

beforeEach(() => {
  store = openStore(tempDir());
  onTestFinished(() => store.close());
  seq = 0;
  full = undefined;
});

/** A start of the hub with these grants, where the journal ends behind `lacking` entries that are not in the state. */
function begin(grants: readonly Grant[], lacking = 0): NotedRights {
  return new NotedRights({
    hub: HUB,
    grants,
    log: SILENT_LOG,
    startLsn: store.appliedLsn + lacking,
    store: { ask: (question) => question(store), appliedLsn: store.appliedLsn },
    door: {
      journalOp: ({ key, body }) => {
        if (full !== undefined) throw full;
        seq += 1;
        const stamped = stampedOp({ origin: HUB, class: RECORD, seq, key, body, atMs: seq });
        store.apply([{ lsn: seq, stamped }], seq);
        return { lsn: seq, seq };
      },
    },
  });
}

const LENA = { name: 'lena', role: 'device' } as const;
const MARIA = { name: 'maria', role: 'technician' } as const;

function start(...grants: readonly Grant[]): OpId[] {
  return begin(grants).opsFor(LENA);
}

const numbered = (at: number): OpId => ({ origin: HUB, class: RECORD, seq: at });

test('a hub that grants nothing to read notes nothing', () => {
  assert.deepEqual(start({ ...READS, publish: ['orders/#'], read: [] }), []);
  assert.equal(seq, 0);
});

test('each change is noted once, also that nothing is granted any more', () => {
  assert.deepEqual([start(READS), start(READS)], [[numbered(1)], [numbered(1)]]);
  assert.deepEqual([start(), start()], [[numbered(2)], [numbered(2)]]);
  assert.deepEqual([start(READS), start(READS)], [[numbered(3)], [numbered(3)]]);
  assert.equal(seq, 3);
});

test('a change concerns the user, or the role, whose grants it is, and nobody else', () => {
  const forRole: Grant = { user: '', role: 'technician', publish: [], read: ['$SYS/#'] };
  begin([READS, forRole]);
  const rights = begin([
    { ...READS, publish: ['orders/#'] },
    { ...forRole, read: ['a', 'b'] },
  ]);
  assert.deepEqual(rights.opsFor(LENA), [numbered(1)]);
  assert.deepEqual(rights.opsFor(MARIA), [numbered(3)]);
  assert.deepEqual(rights.opsFor({ ...LENA, role: 'technician' }), [numbered(1), numbered(3)]);
  assert.deepEqual(rights.opsFor({ name: 'technician', role: 'device' }), []);
});

test('a journal without room notes it at the next start', () => {
  start(READS);
  const wider = { ...READS, read: ['#'] };
  full = new HubError('journal.full', 'for a test');
  assert.deepEqual(start(wider), [numbered(1)]);
  full = undefined;
  assert.deepEqual(start(wider), [numbered(2)]);
});

test('a state that has not come to the end of the journal is not asked: it may lack the last note', () => {
  assert.deepEqual(begin([READS], 1).opsFor(LENA), []);
  assert.equal(seq, 0);
});
