/** Messages between device and hub, protocol version 1, as they were first written. Never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf, utf8 } from '../../src/base/bytes.ts';
import { eventOrder, writeOrder } from '../../src/merge/order.ts';
import { laneOf } from '../../src/model/origin.ts';
import {
  encodeDelta,
  encodeOpItem,
  encodeStateItem,
  readDelta,
} from '../../src/protocol/delta-message.ts';
import { encodeNotice, type Notice, readNotice } from '../../src/protocol/notice-message.ts';
import { encodePull, type PullMessage, readPull } from '../../src/protocol/pull-message.ts';
import { encodeReceipt, readReceipt, type Receipt } from '../../src/protocol/receipt-message.ts';
import { DEVICE_A, DEVICE_B, HUB, patchOp, stampedOp } from '../support/made/ops.ts';

const kept = JSON.parse(
  readFileSync(join(import.meta.dirname, 'sync-1.json'), 'utf8'),
) as Readonly<Record<string, string>>;

const winner = { origin: DEVICE_A, class: 2, seq: 7 } as const;
const loser = { origin: DEVICE_B, class: 2, seq: 300 } as const;
const conflict = { key: 'order/17', field: 'state', kind: 'concurrent', winner, loser } as const;
const lanes = new Map([
  [laneOf(DEVICE_A, 2), 7],
  [laneOf(DEVICE_A, 3), 70_000],
  [laneOf(DEVICE_B, 2), 300],
]);

const PULLS: Readonly<Record<string, PullMessage>> = {
  open: {
    kind: 'open',
    pull: 0xfffffffe,
    credit: 4,
    scope: { prefixes: ['order/', 'meters/'], keys: ['ß'] },
    vector: lanes,
  },
  'open again': {
    kind: 'open',
    pull: 1,
    credit: 16,
    scope: { prefixes: [''], keys: [] },
    vector: new Map(),
    resume: utf8('opaque'),
  },
  taken: { kind: 'taken', pull: 1, page: 24 },
  close: { kind: 'close', pull: 1 },
};

const NOTICES: Readonly<Record<string, Notice>> = {
  'notice of a conflict': { kind: 'conflict', conflicts: [conflict] },
  'notice of an undo': { kind: 'undo', undone: [{ key: 'order/17', op: loser, by: winner }] },
  'notice of a state': { kind: 'recovery', state: { name: 'identity clash', steps: ['a', 'b'] } },
};

const receipt: Receipt = {
  refused: 'cut short',
  accepted: [winner, { ...loser, seq: 0 }],
  rejected: [
    { ...loser, reason: 'gap after 0', verdict: 'gap' },
    { ...winner, reason: 'no right to write x', verdict: 'never' },
  ],
  conflicts: [conflict],
};

const patch = patchOp({ state: 'open' }, { key: 'order/17', seq: 7 });
const event = stampedOp({ origin: DEVICE_A, seq: 70_000 });
const items = [
  encodeStateItem({
    type: 'event',
    key: 'meters/1',
    write: { order: eventOrder(event), body: event.op.body },
  }),
  encodeStateItem({
    type: 'write',
    key: 'order/17',
    write: { order: writeOrder(patch), kind: 1, body: patch.op.body },
  }),
  encodeOpItem(patch),
];

const written: Readonly<Record<string, Uint8Array>> = {
  ...Object.fromEntries(
    Object.entries(PULLS).map(([name, message]) => [name, encodePull(message)]),
  ),
  ...Object.fromEntries(
    Object.entries(NOTICES).map(([name, notice]) => [name, encodeNotice(notice)]),
  ),
  receipt: encodeReceipt(receipt),
  page: encodeDelta({ kind: 'page', pull: 1, page: 2, stage: 'live', items, lanes }),
  'partial page': encodeDelta({
    kind: 'page',
    pull: 1,
    page: 1,
    stage: 'partial',
    items: [],
    lanes: new Map(),
    resume: utf8('opaque'),
  }),
  welcome: encodeDelta({
    kind: 'welcome',
    pull: 1,
    hub: HUB,
    hlc: { ms: 1_800_000_000_000, counter: 3 },
    authority: 2,
  }),
  lapse: encodeDelta({ kind: 'lapse', pull: 1, reason: 'busy', waitS: 5 }),
};

const bytesOf = (name: string): Uint8Array => bytesOfHex(kept[name] ?? '') as Uint8Array;

test('what was written is what the code writes', () => {
  const shown = Object.fromEntries(
    Object.entries(written).map(([name, bytes]) => [name, hexOf(bytes)]),
  );
  assert.deepEqual(shown, kept);
});

test('what was written is read', () => {
  for (const [name, message] of Object.entries(PULLS)) {
    assert.deepEqual(readPull(bytesOf(name)), { kind: 'read', message });
  }
  for (const [name, notice] of Object.entries(NOTICES)) {
    assert.deepEqual(readNotice(bytesOf(name)), notice);
  }
  assert.deepEqual(readReceipt(bytesOf('receipt')), receipt);
  const page = readDelta(bytesOf('page'));
  assert.ok(page.kind === 'page' && page.stage === 'live');
  assert.deepEqual(page.lanes, lanes);
  assert.deepEqual(
    page.items.map((item) => (item.type === 'op' ? item.stamped.op.key : item.item.type)),
    ['event', 'write', 'order/17'],
  );
  for (const name of ['partial page', 'welcome', 'lapse']) readDelta(bytesOf(name));
});
