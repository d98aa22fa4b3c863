import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { decodeCbor } from '../../../src/codec/reader.ts';
import { digestOf } from '../../../src/merge/state/digest.ts';
import { fold, unfoldable } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { encodePatch, readPatch } from '../../../src/merge/patch.ts';
import { LOG } from '../../../src/model/class.ts';
import { DRIFT_MS_MAX } from '../../../src/model/hlc.ts';
import { AUTHORITY, type StampedOp } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { sha256Hasher } from '../../../src/store/sha256-hasher.ts';
import { DEVICE_A, DEVICE_B, patchOp, removeOp, stampedOp } from '../../support/made/ops.ts';

function folded(...ops: readonly StampedOp[]): MemoryState {
  const state = new MemoryState();
  for (const op of ops) fold(state, op);
  return state;
}

function fieldsOf(state: MemoryState, key = 'pump'): Record<string, unknown> {
  return Object.fromEntries(
    [...state.record(key)].map(([field, write]) => [field, decodeCbor(write.value)]),
  );
}

function digest(state: MemoryState): string {
  return hexOf(digestOf(state, sha256Hasher()).digest);
}

describe('events', () => {
  it('keep the latest by time, then origin, then seq', () => {
    const early = stampedOp({ atMs: 1000, body: utf8('early') });
    const late = stampedOp({ atMs: 2000, origin: DEVICE_B, body: utf8('late') });
    assert.deepEqual(folded(late, early).event('meters/1')?.body, utf8('late'));
    const tied = stampedOp({ atMs: 2000, origin: DEVICE_A, seq: 2, body: utf8('tied') });
    assert.deepEqual(folded(late, tied).event('meters/1')?.body, utf8('late'));
  });

  it('know no authority', () => {
    const operator = stampedOp({ atMs: 1000, authority: AUTHORITY.operator, body: utf8('old') });
    const device = stampedOp({ atMs: 1001, seq: 2, body: utf8('new') });
    assert.deepEqual(folded(device, operator).event('meters/1')?.body, utf8('new'));
  });

  it('of a device from the future count by the stamp, from the moment it drifts too far', () => {
    const stampMs = 1_000_000;
    const wild = stampedOp({ atMs: stampMs + DRIFT_MS_MAX + 1, stampMs, body: utf8('wild') });
    const sane = stampedOp({ atMs: stampMs + 1, origin: DEVICE_B, body: utf8('sane') });
    assert.deepEqual(folded(wild, sane).event('meters/1')?.body, utf8('sane'));
    const tolerated = stampedOp({ atMs: stampMs + DRIFT_MS_MAX, stampMs, body: utf8('ahead') });
    assert.deepEqual(folded(tolerated, sane).event('meters/1')?.body, utf8('ahead'));
  });

  it('of class log leave no trace in the state', () => {
    const line = stampedOp({ class: LOG, key: 'hub/log' });
    assert.equal(digest(folded(line)), digest(folded()));
  });
});

describe('patches', () => {
  it('merge field by field', () => {
    const a = patchOp({ state: 'open', note: 'leaks' }, { atMs: 1000 });
    const b = patchOp({ state: 'done' }, { atMs: 2000, origin: DEVICE_B });
    assert.deepEqual(fieldsOf(folded(b, a)), { state: 'done', note: 'leaks' });
  });

  it('yield to a higher authority, even a later one', () => {
    const boss = patchOp({ state: 'stop' }, { atMs: 1000, authority: AUTHORITY.supervisor });
    const device = patchOp({ state: 'go' }, { atMs: 9000, origin: DEVICE_B });
    assert.deepEqual(fieldsOf(folded(boss, device)), { state: 'stop' });
    assert.deepEqual(fieldsOf(folded(device, boss)), { state: 'stop' });
  });

  it('with a malformed body have no effect', () => {
    const broken = stampedOp({ kind: 1, class: 2, key: 'pump', body: utf8('no map') });
    assert.equal(digest(folded(broken)), digest(folded()));
    assert.equal(unfoldable(broken.op), 'malformed patch body');
  });

  it('keep null as a value', () => {
    assert.deepEqual(fieldsOf(folded(patchOp({ state: null }))), { state: null });
  });
});

describe('removes', () => {
  it('take what was written before and leave what came after', () => {
    const before = patchOp({ state: 'open', note: 'x' }, { atMs: 1000 });
    const remove = removeOp({ atMs: 2000, seq: 2 });
    const after = patchOp({ note: 'y' }, { atMs: 3000, origin: DEVICE_B });
    assert.deepEqual(fieldsOf(folded(before, remove, after)), { note: 'y' });
    assert.deepEqual(fieldsOf(folded(after, remove, before)), { note: 'y' });
  });

  it('of a device do not take what an operator wrote', () => {
    const operator = patchOp({ state: 'keep' }, { atMs: 1000, authority: AUTHORITY.operator });
    const remove = removeOp({ atMs: 2000, origin: DEVICE_B });
    assert.deepEqual(fieldsOf(folded(remove, operator)), { state: 'keep' });
  });
});

describe('the worked conflict of MERGE.md', () => {
  it('ends alike in every order of arrival', () => {
    const minute = (count: number): number => count * 60_000;
    const [lena, office] = ['1a'.repeat(8) as Origin, '0f'.repeat(8) as Origin];
    const { technician, device, operator } = AUTHORITY;
    const ops = [
      patchOp({ state: 'open', note: 'pump leaks' }, { origin: lena, authority: technician }),
      patchOp({ state: 'done', photo: 'a1' }, { authority: device, atMs: minute(30) }),
      patchOp({ due: 'Friday' }, { origin: office, authority: operator, atMs: minute(10) }),
      removeOp({ origin: lena, seq: 2, authority: technician, atMs: minute(20) }),
      patchOp(
        { note: 'gasket ordered' },
        { origin: lena, seq: 3, authority: technician, atMs: minute(40) },
      ),
    ];
    for (const order of permutations(ops)) {
      assert.deepEqual(fieldsOf(folded(...order)), { due: 'Friday', note: 'gasket ordered' });
    }
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

describe('digest', () => {
  it('does not see stamps, tombstones or who accepted', () => {
    const plain = folded(patchOp({ state: 'open' }, { atMs: 1000 }));
    const elsewhere = folded(
      removeOp({ key: 'gone', origin: DEVICE_B }),
      patchOp({ state: 'open' }, { atMs: 1000, stampMs: 5000, hub: '22'.repeat(8) as Origin }),
    );
    assert.equal(digest(plain), digest(elsewhere));
  });

  it('sees another value, another writer and another key', () => {
    const digests = new Set([
      digest(folded()),
      digest(folded(patchOp({ state: 'open' }))),
      digest(folded(patchOp({ state: 'shut' }))),
      digest(folded(patchOp({ state: 'open' }, { origin: DEVICE_B }))),
      digest(folded(patchOp({ state: 'open' }, { key: 'pump2' }))),
      digest(folded(stampedOp({ key: 'pump' }))),
    ]);
    assert.equal(digests.size, 6);
  });

  it('is the worked example of MERGE.md', () => {
    const state = folded(
      stampedOp({ key: 'meters/1', body: utf8('21.5'), seq: 7 }),
      patchOp({ state: 'open' }, { seq: 3 }),
    );
    assert.deepEqual(digestOf(state, sha256Hasher()).leaves, 2);
    assert.equal(digest(state), WORKED_DIGEST);
  });
});

describe('patch bodies', () => {
  it('read back', () => {
    const fields = readPatch(encodePatch({ b: 1, a: 'x' }))?.fields;
    assert.deepEqual(
      [...(fields ?? [])].map(([name]) => name),
      ['a', 'b'],
    );
  });

  it('are refused when empty, too wide, not a map, unsorted or followed by more', () => {
    const wide = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, i]));
    assert.equal(readPatch(encodePatch({})), undefined);
    assert.equal(readPatch(encodePatch(wide)), undefined);
    assert.equal(readPatch(encodePatch({ ['n'.repeat(257)]: 1 })), undefined);
    assert.equal(readPatch(encodePatch({ '': 1 })), undefined);
    assert.equal(readPatch(Uint8Array.of(0x80)), undefined);
    assert.equal(readPatch(Uint8Array.of(0xa2, 0x61, 0x62, 1, 0x61, 0x61, 1)), undefined);
    assert.equal(readPatch(Uint8Array.of(0xa1, 0x61, 0x61, 1, 0)), undefined);
    assert.equal(readPatch(Uint8Array.of(0xa1, 1, 1)), undefined);
  });
});

const WORKED_DIGEST = '513bc795d77a07a7b93c76eb2b451f6323342061b86a96ed1d05134002aa5304';
