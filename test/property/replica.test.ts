import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import type { OwnOp } from '../../src/client/outbox/entry.ts';
import { Replica } from '../../src/client/view/replica.ts';
import { View } from '../../src/client/view/view.ts';
import { fold } from '../../src/merge/fold.ts';
import { textOfOpId } from '../../src/merge/op-id.ts';
import { writeOrder } from '../../src/merge/order.ts';
import type { RecordWrite } from '../../src/merge/record.ts';
import { foldRecord } from '../../src/merge/record/fold-record.ts';
import { digestOf } from '../../src/merge/state/digest.ts';
import { MemoryState } from '../../src/merge/state/memory-state.ts';
import { carriesBytes } from '../../src/model/asset-bytes.ts';
import { LOG } from '../../src/model/class.ts';
import { DOC, EVENT, type StampedOp } from '../../src/model/op.ts';
import type { DeltaItem } from '../../src/protocol/delta-message.ts';
import { sha256Hasher } from '../../src/store/sha256-hasher.ts';
import { anyShuffledHistory } from '../support/made/histories.ts';

describe('what a device holds', () => {
  it('is the pure fold of what its pages brought, however they were cut', () => {
    fc.assert(
      fc.property(anyShuffledHistory, fc.integer({ min: 1, max: 20 }), (histories, pageItems) => {
        const memory = new MemoryState();
        for (const op of histories.history) fold(memory, op);
        const replica = new Replica();
        const items = histories.shuffled
          // A hub sends none of class log.
          .filter(({ op }) => op.class !== LOG)
          .map((stamped): DeltaItem => ({ type: 'op', stamped }));
        for (let at = 0; at < items.length; at += pageItems) {
          replica.take({ items: items.slice(at, at + pageItems), lanes: new Map() });
        }
        const [here, wanted] = [replica.state, memory].map((state) =>
          hexOf(digestOf(state, sha256Hasher()).digest),
        );
        assert.equal(here, wanted);
      }),
      { numRuns: 200 },
    );
  });
});

const OWN_RANK = 2;

/** As the device that made them shows them. */
function ownWrites(ops: readonly StampedOp[]): RecordWrite[] {
  return ops.map(({ op: { hlc, origin, seq, class: opClass, kind, body } }) => ({
    order: { authority: OWN_RANK, hlc, origin, seq, class: opClass },
    kind,
    body,
  }));
}

describe('what a device shows', () => {
  it('is the pure fold of what it was given and of its own ops over it, in whatever turn they come', () => {
    fc.assert(
      fc.property(
        anyShuffledHistory,
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }),
        ({ history }, turns) => {
          const onRecords = history.filter(
            ({ op }) => op.class !== LOG && ![EVENT, DOC].includes(op.kind) && !carriesBytes(op),
          );
          const replica = new Replica();
          let ownByKey = new Map<string, OwnOp[]>();
          const view = new View({ replica, ownByKey: () => ownByKey, authority: () => OWN_RANK });
          const [given, own]: [StampedOp[], StampedOp[]] = [[], []];
          for (const [at, stamped] of onRecords.entries()) {
            const { key } = stamped.op;
            const turn = turns[at % turns.length];
            if (turn === 0) {
              const item: DeltaItem = { type: 'op', stamped };
              view.forget(replica.take({ items: [item], lanes: new Map() }));
              given.push(stamped);
            } else {
              const { op, bytes } = stamped;
              ownByKey.set(key, ownByKey.get(key) ?? []);
              ownByKey.get(key)?.push({ op, bytes, stage: 'waiting' });
              view.ownChanged(key);
              own.push(stamped);
            }
            // Lists are made anew when something has left the outbox.
            if (turn === 3)
              ownByKey = new Map([...ownByKey].map(([name, ops]) => [name, [...ops]]));
            const here = ({ op }: StampedOp): boolean => op.key === key;
            const known = new Set(given.filter(here).map(({ op }) => textOfOpId(op)));
            const writes = [
              ...given.filter(here).map((each) => ({
                order: writeOrder(each),
                kind: each.op.kind,
                body: each.op.body,
                stamp: each.stamp,
              })),
              ...ownWrites(own.filter((each) => here(each) && !known.has(textOfOpId(each.op)))),
            ];
            const { fields, counters, tombstone } = foldRecord(writes);
            const seen = view.record(key);
            assert.deepEqual(new Map(seen.fields), new Map(fields));
            assert.deepEqual(new Map(seen.counters), new Map(counters));
            assert.deepEqual(seen.tombstone, tombstone);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
