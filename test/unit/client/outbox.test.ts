/** Own ops: shown, kept, sent, receipted, forgotten; no seq twice, whatever happens. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { beforeEach, describe, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { Outbox, type OutboxOptions } from '../../../src/client/outbox/outbox.ts';
import { encodePatch } from '../../../src/merge/patch.ts';
import { EVENT, PATCH } from '../../../src/model/op.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { readOpsMessage } from '../../../src/ingest/door/ops-message.ts';
import type { Receipt } from '../../../src/protocol/receipt-message.ts';
import { MemoryStorage } from '../../support/memory/memory-storage.ts';

let storage: MemoryStorage;
let random: SeededRandom;

beforeEach(() => {
  storage = new MemoryStorage();
  random = new SeededRandom(1);
});

function open(options: Partial<OutboxOptions> = {}): Promise<Outbox> {
  return Outbox.open({
    storage,
    random,
    clock: new SimClock(1_800_000_000_000),
    onChange: () => undefined,
    comesBack: () => true,
    ...options,
  });
}

const patch = { class: 2, kind: PATCH, key: 'orders/1', body: encodePatch({ a: 1 }) } as const;
const event = { class: 3, kind: EVENT, key: 'meters/1', body: utf8('1') } as const;

function sent(outbox: Outbox): [number, number, number][] {
  const message = outbox.message();
  if (message === undefined) return [];
  return readOpsMessage(message).ops.map(({ op }) => [op.class, op.seq, op.kind]);
}

function receipt(parts: Partial<Receipt>): Receipt {
  return { accepted: [], rejected: [], ...parts };
}

describe('an outbox', () => {
  it('sends what is kept, in order, until it is receipted', async () => {
    const outbox = await open();
    const { kept } = outbox.add(patch);
    outbox.add(event);
    outbox.add(patch);
    assert.deepEqual(sent(outbox), [], 'nothing leaves before it is kept');
    assert.equal(outbox.pending, 3);
    await outbox.whenWritten();
    const all = [
      [2, 1, PATCH],
      [3, 1, EVENT],
      [2, 2, PATCH],
    ];
    assert.deepEqual(sent(outbox), all);
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 2, seq: 1 }] }), 'd');
    assert.deepEqual((await kept).op, { origin, class: 2, seq: 1 });
    assert.deepEqual(sent(outbox), all.slice(1));
    assert.equal(outbox.ops.length, 3, 'shown until the state has it');
    outbox.forget(({ class: opClass, seq }) => opClass === 2 && seq === 1);
    assert.equal(outbox.ops.length, 2);
  });

  it('goes on after a crash with the same origin, the same ops and new seqs', async () => {
    const before = await open();
    before.add(patch);
    before.add(patch);
    await before.whenWritten();
    const { origin } = before;
    before.take(receipt({ accepted: [{ origin, class: 2, seq: 1 }] }), 'd');
    await new Promise(setImmediate);
    const after = await open();
    assert.equal(after.origin, origin);
    assert.deepEqual(sent(after), [[2, 2, PATCH]]);
    after.forget(() => true);
    after.add(patch);
    await after.whenWritten();
    assert.deepEqual(sent(after), [
      [2, 2, PATCH],
      [2, 3, PATCH],
    ]);
  });

  it('puts something empty in the place of what the hub will never take', async () => {
    const outbox = await open();
    const refused = outbox.add(patch);
    const next = outbox.add(patch);
    await outbox.whenWritten();
    const { origin } = outbox;
    const id = { origin, class: 2, seq: 1 } as const;
    const rejected = [{ ...id, reason: 'no right to write orders/1', verdict: 'never' } as const];
    outbox.take(receipt({ rejected }), 'tablet');
    await assert.rejects(refused.kept, /no right/);
    outbox.take(receipt({ rejected }), 'tablet');
    assert.deepEqual(sent(outbox), [
      [2, 1, EVENT],
      [2, 2, PATCH],
    ]);
    await new Promise(setImmediate);
    assert.deepEqual(sent(await open()), sent(outbox));
    outbox.take(receipt({ accepted: [{ ...id, seq: 2 }] }), 'tablet');
    assert.equal((await next.kept).op.seq, 2);
  });

  it('takes back what the storage refused, and makes nothing more', async () => {
    const outbox = await open();
    outbox.add(patch);
    await outbox.whenWritten();
    storage.failure = new Error('no space');
    const { kept } = outbox.add(patch);
    await assert.rejects(kept, /no space/);
    assert.equal(outbox.ops.length, 1);
    assert.throws(() => outbox.add(patch), /no space/);
  });

  it('forgets at once what nobody sends back', async () => {
    const outbox = await open({ comesBack: () => false });
    outbox.add(event);
    await outbox.whenWritten();
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 3, seq: 1 }] }), 'd');
    assert.equal(outbox.ops.length, 0);
  });

  it('ignores what a hub says of others, and that it knows less than before', async () => {
    const outbox = await open();
    outbox.add(patch);
    outbox.add(patch);
    await outbox.whenWritten();
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 2, seq: 2 }] }), 'd');
    outbox.take(receipt({ accepted: [{ origin, class: 2, seq: 1 }] }), 'd');
    assert.equal(outbox.pending, 0);
  });

  it('writes its log anew when most of it is of no use, and still knows its seqs', async () => {
    const outbox = await open({ comesBack: () => false });
    for (let i = 0; i < 1_200; i++) outbox.add(event);
    await outbox.whenWritten();
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 3, seq: 1_200 }] }), 'd');
    await new Promise(setImmediate);
    await outbox.tidy();
    assert.equal(storage.kept.length, 1);
    const after = await open();
    assert.equal(after.add(event).op.seq, 1_201);
  });

  it('loses nothing that is made while its log is written anew', async () => {
    const outbox = await open({ comesBack: () => false });
    for (let i = 0; i < 1_200; i++) outbox.add(event);
    await outbox.whenWritten();
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 3, seq: 1_200 }] }), 'd');
    let pass = (): void => undefined;
    storage.gate = new Promise((resolve) => {
      pass = resolve;
    });
    const tidying = outbox.tidy();
    outbox.add(event);
    pass();
    await tidying;
    await outbox.whenWritten();
    const after = await open();
    assert.deepEqual(sent(after), [[3, 1_201, EVENT]]);
    assert.equal(after.add(event).op.seq, 1_202);
  });

  it('gives no seq twice, wherever it is cut off', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('add', 'write', 'receipt', 'crash', 'forget'), { maxLength: 40 }),
        async (steps) => {
          storage = new MemoryStorage();
          let outbox = await open({ comesBack: () => false });
          /** What a hub was given under each seq. */
          const known = new Map<number, string>();
          let upTo = 0;
          let count = 0;
          for (const step of steps) {
            if (step === 'add') outbox.add({ ...event, body: utf8(`${(count += 1)}`) });
            if (step === 'write') await outbox.whenWritten();
            if (step === 'forget') await outbox.tidy();
            if (step === 'crash') {
              storage = storage.afterCrash();
              outbox = await open({ comesBack: () => false });
            }
            for (const { op } of readOpsMessage(outbox.message() ?? Uint8Array.of(0x80)).ops) {
              const body = String.fromCharCode(...op.body);
              assert.equal(known.get(op.seq) ?? body, body);
              known.set(op.seq, body);
              if (op.seq === upTo + 1 && step === 'receipt') upTo = op.seq;
            }
            if (step !== 'receipt' || upTo === 0) continue;
            const { origin } = outbox;
            outbox.take(receipt({ accepted: [{ origin, class: 3, seq: upTo }] }), 'd');
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
