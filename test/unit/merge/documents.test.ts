import assert from 'node:assert/strict';

import { describe, it } from 'vitest';
import * as Y from 'yjs';

import { bytesOfHex, hexOf } from '../../../src/base/bytes.ts';
import { digestOf } from '../../../src/merge/state/digest.ts';
import { Document, unfitUpdate } from '../../../src/merge/doc/document.ts';
import { readUpdate } from '../../../src/merge/doc/read-update.ts';
import { fold, unfoldable } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { DOC, type StampedOp } from '../../../src/model/op.ts';
import { sha256Hasher } from '../../../src/store/sha256-hasher.ts';
import { contentOf, play } from '../../support/made/doc-scripts.ts';
import { DEVICE_A, DEVICE_B, removeOp, stampedOp } from '../../support/made/ops.ts';

function docOp(hex: string, parts: Partial<StampedOp['op']> = {}): StampedOp {
  const body = bytesOfHex(hex) as Uint8Array;
  return stampedOp({ kind: DOC, class: 2, key: 'pump', body, ...parts });
}

function folded(...ops: readonly StampedOp[]): MemoryState {
  const state = new MemoryState();
  for (const op of ops) fold(state, op);
  return state;
}

/** Client 1 writes `ab` into the text `t`; then it appends `c`; client 2 deletes `b`. */
const AB = '010101000401017402616200';
const C = '01010102840101016300';
const NOT_B = '000101010101';

describe('documents', () => {
  it('are one update, as long as the runs are, whatever came first', () => {
    const state = folded(docOp(AB), docOp(C, { seq: 2 }), docOp(NOT_B, { origin: DEVICE_B }));
    const other = folded(docOp(NOT_B, { origin: DEVICE_B }), docOp(C, { seq: 2 }), docOp(AB));
    const bytes = state.doc('pump')?.encode().state as Uint8Array;
    assert.equal(hexOf(bytes), '010301000401017401618101000184010101630101010101');
    assert.deepEqual(other.doc('pump')?.encode().state, bytes);
    const heads = new Map([
      [`${DEVICE_A}/2`, 2],
      [`${DEVICE_B}/2`, 1],
    ]);
    assert.deepEqual(state.doc('pump')?.heads, heads);
    assert.deepEqual(
      contentOf([bytes]),
      contentOf([AB, C, NOT_B].map((hex) => bytesOfHex(hex) as Uint8Array)),
    );
  });

  it('lie beside the record of their key: its remove does not touch them', () => {
    const digest = (state: MemoryState): string => hexOf(digestOf(state, sha256Hasher()).digest);
    const alone = digest(folded(docOp(AB)));
    assert.equal(digest(folded(removeOp({ seq: 9 }), docOp(AB))), alone);
    assert.notEqual(alone, digest(folded()));
  });

  it('are not there for an update that says nothing, should one get past a door', () => {
    const state = folded(docOp('0000'), docOp(AB, { key: 'valve' }), docOp('0000', { seq: 2 }));
    assert.deepEqual(
      [...state.docs()].map(([key]) => key),
      ['valve'],
    );
  });

  it('are refused where the update is malformed, or says nothing', () => {
    const reasons: readonly (readonly [string, RegExp])[] = [
      ['', /breaks off/],
      ['0000', /says nothing/],
      ['01ffffff7f0100', /more than 65536 structs/],
      ['010101000401017402616', /breaks off/],
      [`${AB}00`, /bytes after/],
      ['010101000a0500', /says nothing/],
      ['01010100040101740000', /without length/],
      ['01010100840100016300', /comes after it/],
      ['010101000401017401ff00', /not UTF-8/],
      ['020101000005010105000500', /stands in it twice/],
      ['01010101080101740175'.padEnd(90, '75') + '00', /./],
    ];
    for (const [hex, reason] of reasons) {
      const { op } = docOp(hex.length % 2 === 0 ? hex : hex.slice(0, -1));
      assert.match(unfoldable(op) ?? '', reason, hex);
    }
    assert.equal(unfoldable(docOp(AB).op), undefined);
  });

  it('refuse values that lie too deep in one another, and take those that do not', () => {
    const nested = (depth: number): Uint8Array =>
      Uint8Array.from([
        1,
        1,
        1,
        0,
        8,
        1,
        1,
        0x74,
        1,
        ...Array.from({ length: depth }, () => [117, 1]).flat(),
        126,
        0,
      ]);
    assert.equal(unfitUpdate(nested(32)), undefined);
    assert.match(unfitUpdate(nested(100_000)) ?? '', /too deep/);
  });

  it('hold a clock of 2^52 without going through all before it', () => {
    const far = 'feffffffffffff07';
    const update = bytesOfHex(`010101${far}000500`) as Uint8Array;
    const long = bytesOfHex(`0101010000${far}00`) as Uint8Array;
    const document = new Document();
    for (const each of [update, long, long]) document.merge(readUpdate(each));
    assert.ok(document.encode().length < 60);
    assert.equal(document.summary().units, 2 ** 52 + 3);
  });

  it('of 1,000 edits by three devices take at most 1.2 times what Yjs takes', () => {
    let seed = 7;
    const next = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return (seed >>> 8) % below;
    };
    const whats = ['type', 'type', 'type', 'type', 'erase', 'bold', 'set', 'meet'] as const;
    const { updates } = play(
      Array.from({ length: 1300 }, () => ({
        writer: next(3),
        what: whats[next(whats.length)] as (typeof whats)[number],
        at: next(1000),
        value: next(1000),
      })),
    );
    assert.ok(updates.length >= 1000);
    const ours = new Document();
    const yjs = new Y.Doc();
    for (const update of updates) {
      ours.merge(readUpdate(update));
      Y.applyUpdate(yjs, update);
    }
    const ratio = ours.encode().length / Y.encodeStateAsUpdate(yjs).length;
    assert.ok(ratio <= 1.2, `${ratio}`);
    assert.deepEqual(contentOf([ours.update()]), contentOf(updates));
  });
});
