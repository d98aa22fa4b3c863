import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { bytesOfHex, utf8 } from '../../../src/base/bytes.ts';
import { HubError } from '../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { decodeCbor } from '../../../src/codec/reader.ts';
import { OpsDoor } from '../../../src/sync/ops-door.ts';
import { openDoor } from '../../support/memory/doors.ts';
import { DEVICE_A, patchOp } from '../../support/made/ops.ts';

interface Setup {
  readonly ops: OpsDoor;
  /** Devices that were told of a clash. */
  readonly clashes: string[];
  readonly sent: { topic: string; receipt: Map<string, unknown> }[];
  /** Ends the wait for the card, well or with a fault. */
  readonly finish: (fault?: HubError) => Promise<void>;
}

function setUp(): Setup {
  const { door, journal } = openDoor();
  const sent: Setup['sent'] = [];
  const clashes: string[] = [];
  const waiting: { resolve: () => void; reject: (fault: HubError) => void }[] = [];
  const ops = new OpsDoor({
    acceptOps: (bytes, from) => door.acceptOps(bytes, from),
    whenDurable: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
      }),
    publish: (topic, payload) => {
      sent.push({ topic, receipt: decodeCbor(payload) as Map<string, unknown> });
    },
    conflictsOf: () => Promise.resolve([]),
    tellClash: (device) => clashes.push(device),
    log: SILENT_LOG,
  });
  const finish = async (fault?: HubError): Promise<void> => {
    if (fault === undefined) journal.sync();
    for (const { resolve, reject } of waiting.splice(0)) {
      if (fault === undefined) resolve();
      else reject(fault);
    }
    for (let i = 0; i < 4; i++) await Promise.resolve();
  };
  return { ops, sent, clashes, finish };
}

function message(seq: number): Uint8Array {
  const { bytes } = patchOp({ a: seq }, { seq });
  return Uint8Array.of(0x81, ...bytes);
}

function firstReason([first]: Setup['sent']): unknown {
  const [rejected] = (first?.receipt.get('rejected') ?? []) as readonly (readonly unknown[])[];
  return rejected?.[3];
}

const FROM = { role: 'device' } as const;
const TOPIC = 'sync/tablet/ops';

describe('ops from a device', () => {
  it('get their receipt when they are durable, and not before', async () => {
    const { ops, sent, finish } = setUp();
    assert.deepEqual(ops.handle({ topic: TOPIC, payload: message(1), from: FROM }), { lsn: 1 });
    assert.equal(sent.length, 0);
    await finish();
    assert.equal(sent[0]?.topic, 'sync/tablet/receipt');
    assert.deepEqual(
      sent[0].receipt,
      new Map([
        ['accepted', [[new Uint8Array(bytesOfHex(DEVICE_A) ?? []), 2, 1]]],
        ['rejected', []],
      ]),
    );
  });

  it('that are known get it at once', async () => {
    const { ops, sent, finish } = setUp();
    ops.handle({ topic: TOPIC, payload: message(1), from: FROM });
    await finish();
    assert.equal(ops.handle({ topic: TOPIC, payload: message(1), from: FROM }), undefined);
    assert.equal(sent.length, 2);
    assert.deepEqual(sent[1], sent[0]);
  });

  it('that are known and not durable yet get it when they are', async () => {
    const { ops, sent, finish } = setUp();
    const handedIn = { topic: TOPIC, payload: message(1), from: FROM };
    assert.deepEqual([ops.handle(handedIn), ops.handle(handedIn)], [{ lsn: 1 }, { lsn: 1 }]);
    assert.equal(sent.length, 0);
    await finish();
    assert.equal(sent.length, 2);
  });

  it('that make no sense get one that says so', () => {
    const { ops, sent } = setUp();
    for (const payload of [utf8('junk'), new Uint8Array(0), Uint8Array.of(0x9f, 0xff)]) {
      assert.equal(ops.handle({ topic: TOPIC, payload, from: undefined }), undefined);
    }
    assert.equal(sent.length, 3);
    assert.ok(sent.every(({ receipt }) => typeof receipt.get('refused') === 'string'));
  });

  it('get none where the card failed', async () => {
    const { ops, sent, finish } = setUp();
    ops.handle({ topic: TOPIC, payload: message(1), from: FROM });
    await finish(new HubError('journal.poisoned', 'sync failed'));
    assert.equal(sent.length, 0);
  });

  it('are put off while too many receipts wait', async () => {
    const { ops, finish } = setUp();
    for (let seq = 1; seq <= 1000; seq++) {
      ops.handle({ topic: TOPIC, payload: message(seq), from: FROM });
    }
    const next = { topic: TOPIC, payload: message(1001), from: FROM };
    const refusal = ops.handle(next);
    assert.ok(refusal !== undefined && 'refused' in refusal);
    assert.equal(refusal.refused.code, 'journal.busy');
    await finish();
    assert.deepEqual(ops.handle(next), { lsn: 1001 });
  });

  it('of an origin that another device speaks for are refused, and the device is told', async () => {
    const { ops, sent, clashes, finish } = setUp();
    ops.handle({ topic: TOPIC, payload: message(1), from: FROM });
    ops.handle({ topic: 'sync/copy/ops', payload: message(2), from: FROM });
    await finish();
    assert.deepEqual(clashes, ['copy']);
    assert.equal(firstReason(sent), 'the origin belongs to another device');
  });

  it('that the device has no right to make are refused, each for itself', async () => {
    const { ops, sent, finish } = setUp();
    const from = { role: 'device', mayWrite: () => false } as const;
    ops.handle({ topic: TOPIC, payload: message(1), from });
    await finish();
    assert.equal(firstReason(sent), 'no right to write pump');
  });

  it('at other topics are not its business', () => {
    const { ops, sent } = setUp();
    const payload = message(1);
    assert.equal(ops.handle({ topic: 'sync/a/b/ops', payload, from: FROM }), undefined);
    assert.equal(ops.handle({ topic: 'sync/a/pull', payload, from: FROM }), undefined);
    assert.equal(sent.length, 0);
  });
});
