/** Messages between device and hub: whatever is written is read, and no bytes do harm. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { CborError } from '../../src/codec/reader.ts';
import type { OpId } from '../../src/merge/op-id.ts';
import { encodeOp } from '../../src/model/op.ts';
import { laneOf } from '../../src/model/origin.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import {
  type DeltaPage,
  encodeDelta,
  encodeOpItem,
  type PageStage,
  readDelta,
} from '../../src/protocol/delta-message.ts';
import { encodeNotice, type Notice, readNotice } from '../../src/protocol/notice-message.ts';
import { encodePull, type PullMessage, readPull } from '../../src/protocol/pull-message.ts';
import {
  encodeReceipt,
  readReceipt,
  type Receipt,
  type ToldConflict,
} from '../../src/protocol/receipt-message.ts';
import { readMark } from '../../src/sync/state-walk.ts';
import { anyClass, anyHlc, anyOp, anyOrigin, anyStamp } from '../support/made/arbitrary.ts';

const anyNumber = fc.integer({ min: 0, max: 0xffffffff });
const anySeq = fc.integer({ min: 1, max: 2 ** 40 });
const anyText = fc.string({ unit: 'binary', maxLength: 30 });
const anyLanes: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(anyOrigin, anyClass, anySeq), { maxLength: 8 })
  .map((lanes) => new Map(lanes.map(([origin, opClass, seq]) => [laneOf(origin, opClass), seq])));
const plain = { noNullPrototype: true } as const;
const anyId: fc.Arbitrary<OpId> = fc.record(
  { origin: anyOrigin, class: anyClass, seq: anySeq },
  plain,
);
const anyConflict: fc.Arbitrary<ToldConflict> = fc.record(
  {
    key: anyText,
    field: anyText,
    kind: fc.constantFrom('concurrent', 'overruled'),
    winner: anyId,
    loser: anyId,
  },
  plain,
);
const anyScope = fc.record(
  {
    prefixes: fc.array(anyText, { minLength: 1, maxLength: 4 }),
    keys: fc.array(anyText, { maxLength: 4 }),
  },
  plain,
);
const anyPull: fc.Arbitrary<PullMessage> = fc.oneof(
  fc
    .record({
      pull: anyNumber,
      credit: fc.integer({ min: 1, max: 16 }),
      scope: anyScope,
      vector: anyLanes,
      resume: fc.option(fc.uint8Array({ maxLength: 60 }), { nil: undefined }),
    })
    .map(({ resume, ...open }): PullMessage => {
      const message = { kind: 'open', ...open } as const;
      return resume === undefined ? message : { ...message, resume };
    }),
  fc
    .record({ pull: anyNumber, page: anyNumber })
    .map((taken): PullMessage => ({ kind: 'taken', ...taken })),
  anyNumber.map((pull): PullMessage => ({ kind: 'close', pull })),
);
const anyReceipt: fc.Arbitrary<Receipt> = fc
  .record({
    accepted: fc.array(anyId, { maxLength: 4 }),
    rejected: fc.array(
      fc.record(
        {
          origin: anyOrigin,
          class: anyClass,
          seq: anySeq,
          reason: anyText,
          verdict: fc.constantFrom('later', 'never', 'gap'),
        },
        plain,
      ),
      { maxLength: 4 },
    ),
    refused: fc.option(anyText, { nil: undefined }),
    conflicts: fc.array(anyConflict, { maxLength: 3 }),
  })
  .map(({ refused, conflicts, ...receipt }) => ({
    ...receipt,
    ...(refused === undefined ? {} : { refused }),
    ...(conflicts.length === 0 ? {} : { conflicts }),
  }));
const anyNotice: fc.Arbitrary<Notice> = fc.oneof(
  fc
    .array(anyConflict, { maxLength: 4 })
    .map((conflicts): Notice => ({ kind: 'conflict', conflicts })),
  fc
    .array(fc.record({ key: anyText, op: anyId, by: anyId }, plain), { maxLength: 4 })
    .map((undone): Notice => ({ kind: 'undo', undone })),
  fc
    .tuple(anyText, fc.array(anyText, { maxLength: 3 }))
    .map(([name, steps]): Notice => ({ kind: 'recovery', state: { name, steps } })),
);

/** Bytes that are nearly a message: one of them, with some bytes changed or its end cut off. */
function nearly(message: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), {
    maxLength: 4,
  });
  return fc.tuple(message, changes, fc.nat(400)).map(([bytes, edits, length]) => {
    const changed = bytes.slice(0, Math.max(1, bytes.length - (length % 7)));
    for (const [at, byte] of edits) changed[at % changed.length] = byte;
    return changed;
  });
}

function readsOrRefuses(read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    read(bytes);
  } catch (error) {
    assert.ok(error instanceof CborError, String(error));
  }
}

describe('messages are read as they were written', () => {
  it('pulls', () => {
    fc.assert(
      fc.property(anyPull, (message) => {
        assert.deepEqual(readPull(encodePull(message)), { kind: 'read', message });
      }),
    );
  });

  it('receipts and notices', () => {
    fc.assert(
      fc.property(anyReceipt, anyNotice, (receipt, notice) => {
        assert.deepEqual(readReceipt(encodeReceipt(receipt)), receipt);
        assert.deepEqual(readNotice(encodeNotice(notice)), notice);
      }),
    );
  });

  it('pages with ops, welcomes and lapses', () => {
    const stage = fc.constantFrom<PageStage>('partial', 'caught-up', 'live');
    const page = fc.record({ pull: anyNumber, page: anyNumber, stage, lanes: anyLanes });
    const stamped = fc.array(fc.tuple(anyOp, anyStamp), { maxLength: 3 });
    fc.assert(
      fc.property(page, stamped, anyHlc, anyOrigin, anyText, (parts, ops, hlc, hub, reason) => {
        const items = ops.map(([op, stamp]) => encodeOpItem({ bytes: encodeOp(op), stamp }));
        const message: DeltaPage = { kind: 'page', ...parts, items };
        const read = readDelta(encodeDelta(message));
        assert.ok(read.kind === 'page');
        assert.deepEqual(read.lanes, parts.lanes);
        const back = read.items.map((item) => item.type === 'op' && item.stamped);
        assert.deepEqual(
          back.map((each) => each !== false && [each.op, each.stamp]),
          ops,
        );
        const welcome = { kind: 'welcome', pull: parts.pull, hub, hlc, authority: 2 } as const;
        assert.deepEqual(readDelta(encodeDelta(welcome)), welcome);
        const lapse = { kind: 'lapse', pull: parts.pull, reason, waitS: 3 } as const;
        assert.deepEqual(readDelta(encodeDelta(lapse)), lapse);
      }),
    );
  });
});

describe('bytes that are nearly a message, or none at all,', () => {
  it('are read or refused', () => {
    const junk = fc.uint8Array({ maxLength: 200 });
    const bytes = fc.oneof(
      junk,
      nearly(anyPull.map((message) => encodePull(message))),
      nearly(anyReceipt.map((receipt) => encodeReceipt(receipt))),
      nearly(anyNotice.map((notice) => encodeNotice(notice))),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        assert.ok(['read', 'refused'].includes(readPull(input).kind));
        readMark(input);
        for (const read of [readDelta, readReceipt, readNotice]) readsOrRefuses(read, input);
      }),
      { numRuns: 2_000 },
    );
  });
});
