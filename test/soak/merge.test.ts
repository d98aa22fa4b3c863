/**
 * The site of test/sim/merge.test.ts at full size: MERGE_SEEDS of them, from MERGE_FIRST_SEED on; and what folding and
 * taking back cost on this machine.
 */
import assert from 'node:assert/strict';

import { describe, test } from 'vitest';

import type { OpId } from '../../src/merge/op-id.ts';
import { encodePatch, encodeUndo } from '../../src/merge/patch.ts';
import { RECORD } from '../../src/model/class.ts';
import { encodeOpEntry } from '../../src/model/entry.ts';
import { AUTHORITY, UNDO } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import type { Store } from '../../src/store/store.ts';
import { runFleet } from '../support/simulated/device-fleet.ts';
import { DEVICE_A, DEVICE_B, patchOp, stampedOp } from '../support/made/ops.ts';
import { openStore } from '../support/memory/stores.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const SEEDS = Number(process.env['MERGE_SEEDS'] ?? 3);
const FIRST_SEED = Number(process.env['MERGE_FIRST_SEED'] ?? 1);
const OPS = Number(process.env['MERGE_OPS'] ?? 100_000);

describe('a site of 30 devices', () => {
  test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))('seed %i', (seed) => {
    runFleet({ devices: 30, ops: OPS, seed });
  });
});

/** Entries a second, from the journal into the tables. */
function applyAll(entries: readonly Uint8Array[], store: Store): number {
  const start = performance.now();
  for (const [index, entry] of entries.entries()) {
    store.stageEntry(index + 1, entry);
    if (store.isFlushDue) store.flush(10_000, false);
  }
  store.commit();
  return entries.length / ((performance.now() - start) / 1000);
}

describe('measures', () => {
  test('at least 30,000 captured messages a second from journal entries into the store', () => {
    const store = openStore(tempDir());
    const entries = Array.from({ length: 60_000 }, (_, index) => {
      const op = stampedOp({
        seq: index + 1,
        atMs: 1_000_000 + index,
        key: `meters/${index % 200}`,
      });
      return encodeOpEntry(op.bytes, op.stamp);
    });
    const perSecond = applyAll(entries, store);
    store.close();
    process.stdout.write(`apply: ${Math.round(perSecond)} ops/s\n`);
    assert.ok(perSecond >= 30_000, `${perSecond}`);
  });

  test('at least 30,000 edits a second where thirty devices write the same fifty fields blindly', () => {
    const store = openStore(tempDir());
    const own = new Map<string, OpId>();
    const entries = Array.from({ length: 30_000 }, (_, index) => {
      const device = index % 30;
      const origin = (16 + device).toString(16).repeat(8) as Origin;
      const seq = Math.floor(index / 30) + 1;
      const field = `f${seq % 50}`;
      const place = `${device} ${field}`;
      const before = own.get(place);
      own.set(place, { origin, class: RECORD, seq });
      const body = encodePatch(
        { [field]: index },
        { [field]: before === undefined ? [] : [before] },
      );
      const { bytes, stamp } = patchOp({}, { origin, seq, atMs: index, key: 'order/1', body });
      return encodeOpEntry(bytes, stamp);
    });
    const perSecond = applyAll(entries, store);
    const { open } = store.records.counts();
    store.close();
    process.stdout.write(`crowd: ${Math.round(perSecond)} edits/s, ${open} open conflicts\n`);
    assert.equal(open, 29 * 50);
    assert.ok(perSecond >= 30_000, `${perSecond}`);
  });

  test('the undo of any of the last 10,000 ops takes at most 20 ms', () => {
    const store = openStore(tempDir());
    const ops = Array.from({ length: 10_000 }, (_, index) =>
      patchOp(
        { [`f${index % 5}`]: index },
        { seq: index + 1, atMs: index, key: `order/${index % 100}` },
      ),
    );
    store.apply(
      ops.map((stamped, index) => ({ lsn: index + 1, stamped })),
      ops.length,
    );
    const tookMs: number[] = [];
    for (let index = 0; index < 10_000; index += 97) {
      const { op } = ops[index] as (typeof ops)[number];
      const seq = index + 1;
      const start = performance.now();
      const target = { origin: DEVICE_A, class: op.class, seq: op.seq };
      const request = { target, authority: AUTHORITY.operator, cascade: true };
      const { plan } = store.records.planUndo(request);
      assert.equal(plan.kind, 'ready');
      const body = encodeUndo(plan.kind === 'ready' ? plan.targets : []);
      const atMs = 20_000 + index;
      const parts = { origin: DEVICE_B, class: 2, key: op.key, body, atMs } as const;
      const undo = stampedOp({ ...parts, kind: UNDO, seq, authority: AUTHORITY.operator });
      store.apply([{ lsn: ops.length + seq, stamped: undo }], ops.length + seq);
      tookMs.push(performance.now() - start);
    }
    store.close();
    tookMs.sort((a, b) => a - b);
    const p99 = tookMs[Math.floor(tookMs.length * 0.99)] as number;
    process.stdout.write(`undo: median ${tookMs[tookMs.length >> 1]} ms, p99 ${p99} ms\n`);
    assert.ok(p99 <= 20, `${p99}`);
  });
});
