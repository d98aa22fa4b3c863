/** Own ops: shown, kept, sent, receipted, forgotten; no seq twice, whatever happens. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { beforeEach, describe, it } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { HubError } from '../../../../src/base/errors.ts';
import type { NewOp } from '../../../../src/client/outbox/entry.ts';
import { Outbox, type OutboxOptions } from '../../../../src/client/outbox/outbox.ts';
import { SPARE_BYTES_MAX, SPARE_OPS_MAX } from '../../../../src/client/outbox/spare-ops.ts';
import type { CborValue } from '../../../../src/codec/value.ts';
import { encodeAdd, encodePatch } from '../../../../src/merge/patch.ts';
import { ADD, EVENT, PATCH } from '../../../../src/model/op.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { readOpsMessage } from '../../../../src/ingest/door/ops-message.ts';
import type { Receipt } from '../../../../src/protocol/receipt-message.ts';
import { MemoryStorage } from '../../../support/memory/memory-storage.ts';

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

/** Seqs that the next message has, and up to where it says that some hub has everything. */
function told(outbox: Outbox): { seqs: number[]; floor: number | undefined } {
  const { ops, floors } = readOpsMessage(outbox.message() ?? Uint8Array.of(0x80));
  return { seqs: ops.map(({ op }) => op.seq), floor: [...floors.values()][0] };
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

  it('whose storage is full keeps again what is made when there is room, and no number is left out', async () => {
    const outbox = await open();
    outbox.add(patch);
    await outbox.whenWritten();
    storage.failure = new HubError('client.storage-full', 'the disk is full');
    const lost = [outbox.add(patch), outbox.add(event), outbox.add(patch)];
    for (const { kept } of lost) await assert.rejects(kept, { code: 'client.storage-full' });
    assert.equal(outbox.trouble?.code, 'client.storage-full');
    assert.equal(outbox.pending, 1);
    storage.failure = undefined;
    outbox.add(patch);
    outbox.add(event);
    await outbox.whenWritten();
    assert.equal(outbox.trouble, undefined);
    const all = [
      [2, 1, PATCH],
      [2, 2, PATCH],
      [3, 1, EVENT],
    ];
    assert.deepEqual(sent(outbox), all);
    assert.deepEqual(sent(await open()), all);
  });

  it('refuses what no hub would take before it stands in the way of the rest', async () => {
    const outbox = await open();
    const body = (value: CborValue): Uint8Array => encodePatch({ a: value });
    const deep = Array.from({ length: 20 }).reduce<CborValue>((inner) => [inner], 1);
    const unfit: [Partial<NewOp>, RegExp][] = [
      [{ key: '' }, /at least one character/],
      [{ key: 'ä'.repeat(600) }, /1024 bytes/],
      [{ key: 'orders/\ud83d' }, /half of a character/],
      [{ key: 'orders/\u0000' }, /no U\+0000/],
      [{ ...event, key: '' }, /at least one character/],
      [{ ...event, key: 'x'.repeat(1_025) }, /1024 bytes/],
      [{ ...event, key: 'meters/\u0000' }, /no U\+0000/],
      [{ ...event, key: 'a/+' }, /for those who listen/],
      [{ ...event, key: '#' }, /for those who listen/],
      [{ ...event, key: '/'.repeat(201) }, /201 levels/],
      [{ ...event, key: 'sync/d/ops' }, /the hub’s own/],
      [{ ...event, key: 'hub/power' }, /the hub’s own/],
      [{ ...event, key: '$SYS/x' }, /the hub’s own/],
      [{ body: body('x'.repeat(1 << 20)) }, /larger contents are assets/],
      [{ body: encodePatch({}) }, /1 to 64 fields/],
      [
        {
          body: encodePatch(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, i]))),
        },
        /fields/,
      ],
      [{ body: body(deep) }, /nested/],
      [{ kind: ADD, body: encodeAdd({ n: 1.5 }) }, /whole number/],
    ];
    for (const [parts, reason] of unfit) {
      assert.throws(() => outbox.add({ ...patch, ...parts }), {
        code: 'client.unfit',
        message: reason,
      });
    }
    outbox.add({ ...patch, key: 'orders/🔋', body: body('x'.repeat((1 << 20) - 2_300)) });
    await outbox.whenWritten();
    assert.deepEqual(sent(outbox), [[2, 1, PATCH]]);
    assert.deepEqual(sent(await open()), [[2, 1, PATCH]]);
  });

  it('that is closed says so to whoever waits', async () => {
    const outbox = await open();
    const { kept } = outbox.add(patch);
    await outbox.whenWritten();
    outbox.abandon();
    await assert.rejects(kept, { code: 'client.closed' });
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
    assert.equal(storage.kept.length, 1 + 1_200 + 1, 'not yet');
    for (let i = 0; i < 1_200; i++) outbox.add(event);
    await outbox.whenWritten();
    outbox.take(receipt({ accepted: [{ origin, class: 3, seq: 2_400 }] }), 'd');
    await new Promise(setImmediate);
    await outbox.tidy();
    assert.equal(storage.kept.length, 1 + SPARE_OPS_MAX);
    const after = await open();
    assert.equal(after.add(event).op.seq, 2_401);
  });

  it('loses nothing that is made while its log is written anew', async () => {
    const outbox = await open({ comesBack: () => false });
    for (let i = 0; i < 2_200; i++) outbox.add(event);
    await outbox.whenWritten();
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 3, seq: 2_200 }] }), 'd');
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
    assert.ok(storage.replaced > 1, 'it was written anew');
    assert.deepEqual(sent(after), [[3, 2_201, EVENT]]);
    assert.equal(after.add(event).op.seq, 2_202);
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

describe('a hub that lacks what another one has receipted', () => {
  const clock = new SimClock(1_800_000_000_000);

  /** Ten ops that a hub has receipted, all that the state shows, and one more. */
  async function moved(
    body = patch.body,
  ): Promise<{ outbox: Outbox; lacks: (seq: number) => void }> {
    const outbox = await open({ clock });
    for (let i = 0; i < 10; i++) outbox.add({ ...patch, body });
    await outbox.whenWritten();
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 2, seq: 10 }] }), 'd');
    outbox.forget(() => true);
    outbox.add(patch);
    await outbox.whenWritten();
    outbox.newLine();
    const lacks = (seq: number): void => {
      const gap = { origin, class: 2, seq: 11, reason: 'gap', verdict: 'gap' } as const;
      outbox.take(receipt({ accepted: [{ origin, class: 2, seq }], rejected: [gap] }), 'd');
    };
    return { outbox, lacks };
  }

  it('has a moment to get it from the other one, then it gets what is still here', async () => {
    const { outbox, lacks } = await moved();
    lacks(4);
    assert.deepEqual(told(outbox), { seqs: [11], floor: undefined });
    await clock.advance(2_000);
    lacks(4);
    assert.deepEqual(told(outbox), { seqs: [5, 6, 7, 8, 9, 10, 11], floor: undefined });
    lacks(8);
    assert.deepEqual(told(outbox), { seqs: [9, 10, 11], floor: undefined });
    outbox.newLine();
    assert.deepEqual(told(outbox), { seqs: [11], floor: undefined });
  });

  it('gets it after a restart of the device, too', async () => {
    const { outbox } = await moved();
    const after = await open({ clock });
    after.forget(() => true);
    after.newLine();
    after.met(outbox.origin);
    const { origin } = after;
    after.take(receipt({ accepted: [{ origin, class: 2, seq: 0 }] }), 'd');
    await clock.advance(2_000);
    assert.deepEqual(told(after).seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('is told up to where another one had all, where that is here no more', async () => {
    const { outbox, lacks } = await moved(encodePatch({ note: 'x'.repeat(SPARE_BYTES_MAX / 4) }));
    lacks(2);
    await clock.advance(2_000);
    assert.deepEqual(told(outbox), { seqs: [8, 9, 10, 11], floor: 10 });
    lacks(10);
    assert.deepEqual(told(outbox), { seqs: [11], floor: undefined });
  });

  it('is not told so again where it cannot read that', async () => {
    const { outbox, lacks } = await moved(encodePatch({ note: 'x'.repeat(SPARE_BYTES_MAX / 4) }));
    lacks(2);
    await clock.advance(2_000);
    assert.equal(told(outbox).floor, 10);
    outbox.take(receipt({ refused: 'not an array at byte 0' }), 'd');
    assert.deepEqual(told(outbox), { seqs: [11], floor: undefined });
  });

  it('gets nothing again that it will never take, and what lies behind that goes on', async () => {
    const { outbox, lacks } = await moved();
    lacks(4);
    await clock.advance(2_000);
    const { origin } = outbox;
    const id = { origin, class: 2, seq: 7 } as const;
    const rejected = [{ ...id, reason: 'no right', verdict: 'never' } as const];
    outbox.take(receipt({ accepted: [{ ...id, seq: 6 }], rejected }), 'd');
    assert.deepEqual(told(outbox), { seqs: [8, 9, 10, 11], floor: 10 });
  });

  it('is asked what it has when it is met first, once, with one op', async () => {
    const { outbox, lacks } = await moved();
    lacks(11);
    const { origin } = outbox;
    outbox.take(receipt({ accepted: [{ origin, class: 2, seq: 11 }] }), 'd');
    outbox.newLine();
    outbox.met(origin);
    assert.deepEqual(told(outbox).seqs, [11]);
    assert.equal(outbox.message(), undefined);
    outbox.newLine();
    outbox.met(origin);
    assert.equal(outbox.message(), undefined, 'nothing new to be heard');
  });
});
