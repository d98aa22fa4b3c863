/** What devices that follow are given of the journal's tail: all of it, however fast it grows. */
import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { HubError } from '../../../src/base/errors.ts';
import { encodeStampsEntry } from '../../../src/merge/op-stamps.ts';
import { encodePatch } from '../../../src/merge/patch.ts';
import { RECORD } from '../../../src/model/class.ts';
import { PATCH, type StampedOp } from '../../../src/model/op.ts';
import { OpTail, type TailOp } from '../../../src/sync/op-tail.ts';
import { DEVICE_A, HUB, patchOp } from '../../support/made/ops.ts';
import { MemoryJournal } from '../../support/memory/memory-journal.ts';

const never = (): (() => void) => () => undefined;
const log = { debug: never, info: never, warn: never, error: never };

/** A journal, and a tail of it where nobody but who asks makes it read on. */
function tailOf(
  journal: MemoryJournal,
  applied: () => number,
  isFailing = (): boolean => false,
): OpTail {
  return new OpTail({
    journal,
    appliedLsn: applied,
    whenApplied: () => new Promise(() => undefined),
    joinedLsn: () => 0,
    writeItem: ({ origin, class: opClass, seq }) => {
      if (isFailing()) throw new HubError('store.failed', 'disk I/O error');
      const order = {
        authority: 1,
        hlc: { ms: 1, counter: 0 },
        origin,
        class: opClass,
        seq,
      } as const;
      const write = { order, kind: PATCH, body: encodePatch({ n: seq }) } as const;
      return { type: 'write', key: `orders/${seq}`, write };
    },
    onGrown: () => undefined,
    timers: { after: never, every: never, soon: never },
    log,
  });
}

function edits(count: number): StampedOp[] {
  return Array.from({ length: count }, (_, index) =>
    patchOp({ note: 'x'.repeat(1_000) }, { seq: index + 1, key: `orders/${index % 7}` }),
  );
}

/** All that one follower is given from behind `lsn` on. */
function read(tail: OpTail, lsn: number, throughLsn: number): TailOp[] {
  const ops: TailOp[] = [];
  for (let at = lsn; at < throughLsn;) {
    const look = tail.after(at);
    assert.ok(look.kind === 'ops' && look.throughLsn > at);
    ops.push(...look.ops);
    at = look.throughLsn;
  }
  return ops;
}

describe('the tail', () => {
  it('gives a follower all, also where its own look makes what it needs give way to newer ops', () => {
    const journal = new MemoryJournal();
    journal.append(...edits(12_000));
    let applied = 0;
    const tail = tailOf(journal, () => applied);
    tail.follow(0);
    // One reads as fast as ops are folded; the other always lags behind, by any number of ops.
    for (let slow = 0, lag = 1; applied < 12_000; lag += 97) {
      applied = Math.min(12_000, applied + 500 + lag);
      const until = Math.max(slow, applied - lag);
      const seqs = read(tail, slow, until).map(({ seq }) => seq);
      const upTo = slow + seqs.length;
      const lacking = seqs.find((seq, at) => seq !== slow + at + 1);
      assert.equal(lacking, undefined, `${lag} ops behind`);
      assert.ok(upTo >= until);
      slow = upTo;
      read(tail, upTo, applied);
    }
  });

  it('tells of an entry as a whole: its place is all that a follower remembers', () => {
    const journal = new MemoryJournal();
    const ids = Array.from({ length: 800 }, (_, index) => index + 1);
    const stamps = ids.map((seq) => ({
      op: { origin: DEVICE_A, class: RECORD, seq } as const,
      authority: 1,
      hub: HUB,
      hlc: { ms: 1, counter: 0 },
    }));
    journal.append(...edits(3));
    journal.appendEntry(encodeStampsEntry(stamps));
    journal.append(...edits(3));
    const tail = tailOf(journal, () => journal.durableLsn);
    tail.follow(0);
    const seqs = read(tail, 3, 4).map(({ seq }) => seq);
    assert.deepEqual(seqs.slice(0, ids.length), ids);
  });

  it('gives an op that was stamped anew also where the store failed when it was asked for it', () => {
    const journal = new MemoryJournal();
    journal.append(patchOp({ n: 1 }, { seq: 1 }));
    const op = { origin: DEVICE_A, class: RECORD, seq: 1 } as const;
    const hlc = { ms: 1, counter: 0 };
    journal.appendEntry(encodeStampsEntry([{ op, hub: HUB, authority: 1, hlc }]));
    let isFailing = true;
    const tail = tailOf(
      journal,
      () => 2,
      () => isFailing,
    );
    tail.follow(0);
    assert.throws(() => tail.after(0), HubError);
    isFailing = false;
    assert.deepEqual(
      read(tail, 0, 2).map(({ lsn, seq }) => [lsn, seq]),
      [
        [1, 1],
        [2, 1],
      ],
    );
  });
});
