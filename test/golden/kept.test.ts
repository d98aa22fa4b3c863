/** What a device keeps, format 1, as it was first written. Never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { bytesOfHex, hexOf, utf8 } from '../../src/base/bytes.ts';
import { frameEntries, readFrames } from '../../src/client/storage/frames.ts';
import { encodeState, readState } from '../../src/client/view/kept-state.ts';
import { encodeLogEntry, type LogEntry, readLogEntry } from '../../src/client/outbox/log-entry.ts';
import { writeOrder } from '../../src/merge/order.ts';
import type { StateItem } from '../../src/merge/state/state-item.ts';
import { laneOf } from '../../src/model/origin.ts';
import { DEVICE_A, DEVICE_B, patchOp } from '../support/made/ops.ts';

const kept = JSON.parse(
  readFileSync(join(import.meta.dirname, 'kept-1.json'), 'utf8'),
) as Readonly<Record<string, string>>;

const { op, bytes, ...patch } = patchOp({ state: 'open' }, { key: 'order/17', seq: 7 });
const vector = new Map([
  [laneOf(DEVICE_A, 2), 7],
  [laneOf(DEVICE_B, 3), 70_000],
]);
const ENTRIES: readonly LogEntry[] = [
  {
    type: 'head',
    origin: DEVICE_A,
    hlc: { ms: 1_800_000_000_000, counter: 2 },
    lanes: new Map([[laneOf(DEVICE_A, 2), 6]]),
    receipted: new Map([[laneOf(DEVICE_A, 2), 5]]),
  },
  { type: 'op', op, bytes },
  { type: 'receipt', class: 2, seq: 6 },
];
const write = { order: writeOrder({ op, bytes, ...patch }), kind: op.kind, body: op.body };
const item: StateItem = { type: 'write', key: op.key, write };
const scope = { prefixes: ['order/'], keys: [] };
const state = { scope, vector, authority: 2, resume: utf8('opaque') };

const written = {
  log: hexOf(frameEntries(ENTRIES.map((entry) => encodeLogEntry(entry)))),
  state: hexOf(encodeState(state, [item])),
};

test('what was kept is what the code keeps', () => {
  assert.deepEqual(written, kept);
});

test('what was kept is read', () => {
  const { entries } = readFrames(bytesOfHex(kept['log'] ?? '') as Uint8Array);
  assert.deepEqual(
    entries.map((entry) => readLogEntry(entry)),
    ENTRIES,
  );
  const read = readState(bytesOfHex(kept['state'] ?? '') as Uint8Array);
  assert.deepEqual(read, { ...state, items: [{ type: 'state', item }] });
  assert.equal(readState(utf8('junk')), undefined);
});
