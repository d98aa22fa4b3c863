import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { hexOf } from '../../../src/base/bytes.ts';
import { encodeCbor } from '../../../src/codec/writer.ts';
import {
  ASSET_FIELD,
  type AssetVersion,
  encodeAssetVersion,
  readAssetVersion,
} from '../../../src/merge/asset/asset-version.ts';
import { conflictsOf } from '../../../src/merge/conflicts.ts';
import { fold, unfoldable } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { type OpId, textOfOpId } from '../../../src/merge/op-id.ts';
import { encodeUndo } from '../../../src/merge/patch.ts';
import { ListedOps } from '../../../src/merge/record/record-ops.ts';
import { planUndo } from '../../../src/merge/undo.ts';
import { encodePiece, encodePreview, GRID_BYTES } from '../../../src/model/asset-bytes.ts';
import { ASSET, type StampedOp, UNDO } from '../../../src/model/op.ts';
import { DEVICE_A, DEVICE_B, type OpParts, removeOp, stampedOp } from '../../support/made/ops.ts';

const KEY = 'meter/4/photo';
const HASH = new Uint8Array(32).fill(1);

function version(parts: Partial<AssetVersion> = {}): AssetVersion {
  return { sha256: HASH, size: 1000, type: 'image/jpeg', ...parts };
}

function versionOp(seq: number, parts: Partial<AssetVersion>, op: OpParts = {}): StampedOp {
  const body = encodeAssetVersion(version(parts));
  return stampedOp({ kind: ASSET, class: 2, key: KEY, seq, body, atMs: 1000 * seq, ...op });
}

function folded(ops: readonly StampedOp[]): MemoryState {
  const state = new MemoryState();
  for (const op of ops) fold(state, op);
  return state;
}

function standing(state: MemoryState): string | undefined {
  const body = state.record(KEY).get(ASSET_FIELD)?.value;
  return body === undefined ? undefined : readAssetVersion(body)?.note;
}

const FIRST = versionOp(1, { note: 'P' });
const LENA = versionOp(2, { note: 'Q', base: [FIRST.op] });
const OTIENO = versionOp(1, { note: 'R', base: [FIRST.op] }, { origin: DEVICE_B, atMs: 2060 });
const BOTH: readonly OpId[] = [LENA.op, OTIENO.op];

describe('versions of an asset', () => {
  it('are the worked example of MERGE.md §7', () => {
    const state = folded([FIRST, OTIENO, LENA]);
    assert.equal(standing(state), 'R');
    const [conflict, ...others] = conflictsOf(state.writes(KEY));
    assert.deepEqual(others, []);
    assert.equal(conflict?.kind, 'concurrent');
    assert.equal(conflict?.field, ASSET_FIELD);
    assert.equal(textOfOpId(conflict?.winner as OpId), textOfOpId(OTIENO.op));
    assert.equal(textOfOpId(conflict?.loser as OpId), textOfOpId(LENA.op));
    const choice = versionOp(3, { note: 'chosen', base: BOTH }, { atMs: 9000 });
    fold(state, choice);
    assert.equal(standing(state), 'chosen');
    assert.deepEqual(conflictsOf(state.writes(KEY)), []);
    fold(state, undoOf(choice));
    assert.equal(standing(state), 'R');
    assert.equal(conflictsOf(state.writes(KEY)).length, 1);
  });

  it('of higher authority stand, whatever their time', () => {
    const office = versionOp(1, { note: 'office' }, { origin: DEVICE_B, authority: 4, atMs: 10 });
    assert.equal(standing(folded([FIRST, office, LENA])), 'office');
  });

  it('go with the record that is removed', () => {
    const state = folded([FIRST, removeOp({ key: KEY, atMs: 5000, seq: 9 })]);
    assert.equal(standing(state), undefined);
    assert.deepEqual([...state.fields()], []);
  });

  it('are not undone below what builds on them, unless it goes too', () => {
    const writes = folded([FIRST, LENA]).writes(KEY);
    const target = { origin: DEVICE_A, class: 2, seq: 1 } as const;
    const wish = { target, authority: 4 };
    assert.equal(planUndo(new ListedOps(writes), { ...wish, cascade: false }).kind, 'refused');
    const plan = planUndo(new ListedOps(writes), { ...wish, cascade: true });
    assert.deepEqual(plan.kind === 'ready' && plan.targets.map((id) => id.seq), [1, 2]);
  });
});

describe('ops that carry bytes', () => {
  const piece = {
    sha256: HASH,
    size: 2 * GRID_BYTES + 5,
    offset: 0,
    data: new Uint8Array(GRID_BYTES),
  };
  const preview = { of: HASH, type: 'image/png', width: 320, height: 200, data: HASH } as const;
  const bodies = [
    { class: 5, body: encodePiece(piece) },
    { class: 4, body: encodePreview(preview) },
  ] as const;

  it('change nothing in the state', () => {
    for (const parts of bodies) {
      const op = stampedOp({ kind: ASSET, key: KEY, ...parts });
      assert.equal(unfoldable(op.op), undefined);
      const state = folded([op]);
      assert.deepEqual([[...state.fields()], state.writes(KEY)], [[], []]);
    }
  });

  it('travel in no class but their own', () => {
    for (const { body } of bodies) {
      assert.match(unfoldable(stampedOp({ kind: ASSET, class: 2, body }).op) ?? '', /class/);
    }
  });

  it('lie on the grid', () => {
    const wrong = [
      { ...piece, offset: 1 },
      { ...piece, data: new Uint8Array(GRID_BYTES - 1) },
      { ...piece, data: new Uint8Array(0) },
      { ...piece, data: new Uint8Array(5 * GRID_BYTES) },
      { ...piece, offset: 2 * GRID_BYTES, data: new Uint8Array(6) },
      { ...piece, size: 2 ** 31 },
    ];
    for (const each of wrong) {
      const { op } = stampedOp({ kind: ASSET, class: 5, body: encodePiece(each) });
      assert.equal(unfoldable(op), 'malformed piece of an asset');
    }
    const last = { ...piece, offset: 2 * GRID_BYTES, data: new Uint8Array(5) };
    const { op } = stampedOp({ kind: ASSET, class: 5, body: encodePiece(last) });
    assert.equal(unfoldable(op), undefined);
  });
});

describe('bodies of versions', () => {
  const full = version({
    base: [LENA.op].map(({ origin, class: opClass, seq }) => ({ origin, class: opClass, seq })),
    note: 'glass is broken',
    tags: ['damage', 'urgent'],
    region: [10, 20, 300, 200],
  });

  it('read back, and are the bytes of the golden example', () => {
    assert.deepEqual(readAssetVersion(encodeAssetVersion(full)), full);
    assert.deepEqual(readAssetVersion(encodeAssetVersion(version())), version());
    assert.equal(
      hexOf(encodeAssetVersion(full)),
      `85005820${'01'.repeat(32)}1903e86a696d6167652f6a706567a4` +
        '646261736581' +
        '8348aaaaaaaaaaaaaaaa0202' +
        '646e6f74656f676c6173732069732062726f6b656e' +
        '647461677382' +
        '6664616d616765' +
        '66757267656e74' +
        '66726567696f6e840a1419012c18c8',
    );
  });

  it('are refused where they break the rules', () => {
    const wrong: readonly Partial<AssetVersion>[] = [
      { sha256: new Uint8Array(31) },
      { size: 0 },
      { size: 2 ** 31 },
      { type: 'jpeg' },
      { type: 'Image/JPEG' },
      { type: 'text/plain; charset=utf-8' },
      { note: '' },
      { note: 'x'.repeat(2049) },
      { tags: [] },
      { tags: Array.from({ length: 17 }, () => 'x') },
      { base: Array.from({ length: 17 }, () => LENA.op) },
    ];
    for (const parts of wrong) {
      assert.equal(
        readAssetVersion(encodeAssetVersion(version(parts))),
        undefined,
        JSON.stringify(parts),
      );
    }
    for (const body of [new Uint8Array(0), encodeCbor([0, HASH, 1, 'a/b', new Map([['x', 1]])])]) {
      assert.equal(
        unfoldable(stampedOp({ kind: ASSET, class: 2, body }).op),
        'malformed asset body',
      );
    }
  });
});

function undoOf({ op }: StampedOp): StampedOp {
  return stampedOp({
    kind: UNDO,
    class: 2,
    key: KEY,
    seq: 50,
    body: encodeUndo([op]),
    atMs: 99_000,
  });
}
