import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { concatBytes, textOf, utf8 } from '../../../../src/base/bytes.ts';
import { HubError } from '../../../../src/base/errors.ts';
import { encodeOpsMessage } from '../../../../src/client/outbox/ops-message.ts';
import { CborWriter } from '../../../../src/codec/writer.ts';
import type { Admission } from '../../../../src/ingest/door/door.ts';
import { FILL_RATIO_MAX } from '../../../../src/ingest/door/fill-gate.ts';
import { DEVICE_HOLES_MAX } from '../../../../src/ingest/door/hole-book.ts';
import type { OpsOutcome } from '../../../../src/ingest/door/ops-message.ts';
import { OpEntryEncoder } from '../../../../src/ingest/door/op-entry-encoder.ts';
import { ALARM, BULK, CLASSES, LOG, RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { decodeEntry, encodeOpEntry } from '../../../../src/model/entry.ts';
import { AUTHORITY, encodeOp, type StampedOp } from '../../../../src/model/op.ts';
import { laneOf, type Origin } from '../../../../src/model/origin.ts';
import { anyOp } from '../../../support/made/arbitrary.ts';
import { openDoor, opsIn, publish, START_MS } from '../../../support/memory/doors.ts';
import {
  DEVICE_A,
  DEVICE_B,
  HUB,
  patchOp,
  removeOp,
  stampedOp,
} from '../../../support/made/ops.ts';

function lsnOf(admission: Admission): number {
  assert.equal(admission.kind, 'journaled');
  return admission.kind === 'journaled' ? admission.lsn : 0;
}

function faultOf(admission: Admission): string {
  return admission.kind === 'refused' ? admission.fault.code : admission.kind;
}

function opsMessage(...ops: readonly StampedOp[]): Uint8Array {
  const head = new CborWriter().array(ops.length).finish();
  return concatBytes([head, ...ops.map(({ bytes }) => bytes)]);
}

const TABLET = { role: 'technician', device: 'tablet' } as const;

describe('plain publishes', () => {
  it('become ops of the hub, numbered per class', () => {
    const capture = [
      { filter: 'alarms/#', class: 'alarm', keep: 'all' },
      { filter: '#', class: 'telemetry', keep: 'all' },
    ] as const;
    const { door, journal } = openDoor({ capture });
    door.admit(publish({ packetId: 1 }));
    door.admit(publish({ packetId: 2, topic: 'alarms/pump', payload: utf8('dry') }));
    door.admit(publish({ packetId: 3 }));
    const ops = opsIn(journal).map(({ op }) => [op.class, op.seq, op.key, textOf(op.body)]);
    assert.deepEqual(ops, [
      [TELEMETRY, 1, 'meters/1', '21.5'],
      [ALARM, 1, 'alarms/pump', 'dry'],
      [TELEMETRY, 2, 'meters/1', '21.5'],
    ]);
    assert.deepEqual(journal.lingers, [TELEMETRY, ALARM, TELEMETRY]);
  });

  it('carry the time of the hub, and its stamp as a device', () => {
    const { door, journal } = openDoor();
    door.admit(publish());
    const [stamped] = opsIn(journal);
    assert.equal(stamped?.op.hlc.ms, START_MS);
    assert.deepEqual({ ...stamped.stamp.hlc }, { ...stamped.op.hlc });
    assert.equal(stamped.stamp.authority, AUTHORITY.device);
    assert.equal(stamped.op.clock.bootId, 77);
  });

  it('of QoS 0, of reserved topics and of what no rule captures pass', () => {
    const { door } = openDoor();
    for (const topic of ['$SYS/x', 'sync/a/ops', 'hub/status', 'hub', 'sync']) {
      assert.equal(door.admit(publish({ topic })).kind, 'pass', topic);
    }
    assert.equal(door.admit(publish({ qos: 0 })).kind, 'pass');
    assert.equal(door.admit(publish({ topic: 'hubris/1' })).kind, 'journaled');
    const ruled = openDoor({
      capture: [
        { filter: 'chat/#', class: 'bulk', keep: 'none' },
        { filter: '+/1', class: 'bulk', keep: 'latest' },
      ],
    });
    assert.equal(ruled.door.admit(publish({ topic: 'chat/1' })).kind, 'pass');
    assert.equal(ruled.door.admit(publish({ topic: 'other/2' })).kind, 'pass');
    assert.equal(ruled.door.admit(publish({ topic: 'other/1' })).kind, 'journaled');
  });

  it('are decided alike however many topics came between', () => {
    const { door } = openDoor({ capture: [{ filter: 'a/#', class: 'bulk', keep: 'all' }] });
    for (let i = 0; i < 10_000; i++) {
      assert.equal(door.admit(publish({ topic: `a/${i}`, packetId: 0 })).kind, 'journaled');
      if (i % 100 === 0) assert.equal(door.admit(publish({ topic: 'b' })).kind, 'pass');
    }
  });

  it('go on counting where the journal ended', () => {
    const knownVector = new Map([[laneOf(HUB, TELEMETRY), 41]]);
    const { door, journal } = openDoor({ knownVector });
    door.admit(publish());
    assert.equal(opsIn(journal)[0]?.op.seq, 42);
    assert.equal(door.vector().get(laneOf(HUB, TELEMETRY)), 42);
  });

  it('are refused when too large or under a topic that is too long, and the hub goes on', () => {
    const { door, journal } = openDoor();
    const payload = new Uint8Array((1 << 20) + 1);
    assert.equal(faultOf(door.admit(publish({ payload }))), 'op.too-large');
    assert.equal(faultOf(door.admit(publish({ topic: 'ß'.repeat(513) }))), 'op.malformed');
    assert.equal(faultOf(door.admit(publish({ topic: 'ß'.repeat(512) }))), 'journaled');
    assert.equal(opsIn(journal)[0]?.op.key, 'ß'.repeat(512));
  });

  it('that the journal does not take cost no number', () => {
    const { door, journal } = openDoor();
    journal.refusal = new HubError('journal.disk-full', 'no space');
    assert.equal(faultOf(door.admit(publish())), 'journal.disk-full');
    journal.refusal = undefined;
    door.admit(publish());
    assert.equal(opsIn(journal)[0]?.op.seq, 1);
  });
});

describe('redelivery', () => {
  it('with DUP, same client, packet id, topic and payload is the same op', () => {
    const { door, journal } = openDoor();
    const lsn = lsnOf(door.admit(publish({ packetId: 9 })));
    door.admit(publish({ packetId: 10, payload: utf8('x') }));
    assert.equal(lsnOf(door.admit(publish({ packetId: 9, dup: true }))), lsn);
    assert.equal(journal.lastLsn, 2);
  });

  it('is not assumed where anything differs', () => {
    const { door } = openDoor();
    const lsn = lsnOf(door.admit(publish({ packetId: 9 })));
    const others = [
      publish({ packetId: 9 }),
      publish({ packetId: 8, dup: true }),
      publish({ packetId: 9, dup: true, clientId: 'other' }),
      publish({ packetId: 9, dup: true, payload: utf8('21.6') }),
      publish({ packetId: 9, dup: true, topic: 'meters/2' }),
    ];
    for (const other of others) assert.ok(lsnOf(door.admit(other)) > lsn);
  });

  it('is found when it is durable, and journaled again when its entry is gone', () => {
    const { door, journal } = openDoor();
    const lsn = lsnOf(door.admit(publish({ packetId: 9 })));
    journal.sync();
    assert.equal(lsnOf(door.admit(publish({ packetId: 9, dup: true }))), lsn);
    journal.release(lsn);
    assert.ok(lsnOf(door.admit(publish({ packetId: 9, dup: true }))) > lsn);
  });

  it('means the newest publish of that packet id', () => {
    const { door } = openDoor();
    door.admit(publish({ packetId: 9 }));
    const newer = lsnOf(door.admit(publish({ packetId: 9, payload: utf8('new') })));
    assert.ok(lsnOf(door.admit(publish({ packetId: 9, dup: true }))) > newer);
  });

  it('is never what a will is taken for', () => {
    const { door } = openDoor();
    const will = publish({ packetId: 0, dup: true });
    assert.ok(lsnOf(door.admit(will)) < lsnOf(door.admit(will)));
  });
});

describe('a journal that fills up', () => {
  it('refuses the lowest classes first and alarms never by itself', () => {
    const { door, journal } = openDoor();
    const taken = (ratio: number): number[] => {
      journal.fillRatio = ratio;
      return CLASSES.filter((opClass) => {
        try {
          door.journalOwn({ class: opClass, key: 'k', body: new Uint8Array(4096) });
          return true;
        } catch (error) {
          assert.ok(error instanceof HubError && error.code === 'journal.full');
          return false;
        }
      });
    };
    assert.deepEqual(taken(0.5), [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(taken(0.86), [0, 1, 2, 3, 4]);
    assert.deepEqual(taken(0.91), [0, 1, 2, 3]);
    assert.deepEqual(taken(0.95), [0, 1, 2]);
    assert.deepEqual(taken(0.97), [0, 1]);
    assert.deepEqual(taken(1), [0]);
    assert.deepEqual(taken(0.1), [0, 1, 2, 3, 4, 5, 6]);
    assert.ok(FILL_RATIO_MAX[BULK] <= FILL_RATIO_MAX[TELEMETRY]);
  });
});

describe('ops of devices', () => {
  it('are taken byte for byte, with a stamp of the role', () => {
    const { door, journal } = openDoor();
    const ops = [patchOp({ a: 1 }, { seq: 1 }), removeOp({ seq: 2 }), stampedOp({ seq: 1 })];
    const outcome = door.acceptOps(opsMessage(...ops), TABLET);
    assert.equal(outcome.lsn, 3);
    assert.deepEqual(outcome.rejected, []);
    assert.deepEqual(outcome.accepted, [
      { origin: DEVICE_A, class: 2, seq: 2 },
      { origin: DEVICE_A, class: 3, seq: 1 },
    ]);
    const journaled = opsIn(journal);
    assert.deepEqual(
      journaled.map(({ bytes }) => Buffer.from(bytes)),
      ops.map(({ bytes }) => Buffer.from(bytes)),
    );
    assert.ok(journaled.every(({ stamp }) => stamp.authority === AUTHORITY.technician));
  });

  it('are accepted again without a second entry, once the first one is durable', () => {
    const { door, journal } = openDoor();
    const message = opsMessage(patchOp({ a: 1 }));
    const first = door.acceptOps(message, TABLET);
    const meanwhile = door.acceptOps(message, TABLET);
    assert.equal(meanwhile.lsn, first.lsn, 'its receipt names what a crash would still lose');
    journal.sync();
    const again = door.acceptOps(message, TABLET);
    assert.deepEqual(again, {
      lsn: 0,
      messages: [],
      accepted: [{ origin: DEVICE_A, class: 2, seq: 1 }],
      rejected: [],
      edits: again.edits,
      isClash: false,
    });
    assert.deepEqual(again.edits, first.edits);
    assert.equal(journal.lastLsn, 1);
  });

  it('behind a gap are rejected, the rest of the message is not', () => {
    const { door, journal } = openDoor();
    const ops = [
      patchOp({ a: 1 }, { seq: 1 }),
      patchOp({ a: 3 }, { seq: 3 }),
      stampedOp({ seq: 1 }),
    ];
    const outcome = door.acceptOps(opsMessage(...ops), TABLET);
    assert.deepEqual(
      outcome.rejected.map(({ seq, reason, verdict }) => [seq, reason, verdict]),
      [[3, 'gap after 1', 'gap']],
    );
    assert.equal(journal.lastLsn, 2);
  });

  it('go on behind a floor, with a hole that others may fill', () => {
    const { door, journal } = openDoor();
    const floors = [{ origin: DEVICE_A, class: RECORD, seq: 50 }] as const;
    const hand = (...seqs: number[]): OpsOutcome => {
      const ops = seqs.map((seq) => patchOp({ a: seq }, { seq }));
      return door.acceptOps(encodeOpsMessage(ops, floors) ?? new Uint8Array(0), TABLET);
    };
    assert.equal(hand(52).rejected[0]?.verdict, 'gap', 'not behind the floor');
    assert.deepEqual(
      hand(48, 49, 51).rejected.map(({ seq }) => seq),
      [],
    );
    assert.deepEqual(hand(52).accepted, [{ origin: DEVICE_A, class: RECORD, seq: 52 }]);
    const lane = laneOf(DEVICE_A, RECORD);
    assert.deepEqual(
      door.holes.told.map(({ device, from, to }) => [device, from, to]),
      [
        ['tablet', 1, 47],
        ['tablet', 50, 50],
      ],
    );
    const [first, fill] = [patchOp({ a: 9 }, { seq: 9 }), patchOp({ a: 50 }, { seq: 50 })];
    assert.equal(door.acceptPeerOp(first).kind, 'taken');
    assert.equal(door.acceptPeerOp(first).kind, 'known');
    assert.equal(hand(50).rejected.length, 0);
    assert.equal(opsIn(journal).filter(({ op }) => op.seq === fill.op.seq).length, 1);
    assert.ok(!door.holes.has(lane, 9) && !door.holes.has(lane, 50) && door.holes.has(lane, 10));
  });

  it('leave no hole where the journal did not take what lies behind it', () => {
    const { door, journal } = openDoor();
    const floors = [{ origin: DEVICE_A, class: RECORD, seq: 50 }] as const;
    const message = encodeOpsMessage([patchOp({ a: 1 }, { seq: 51 })], floors);
    journal.refusal = new HubError('journal.busy', 'later');
    const { rejected } = door.acceptOps(message ?? new Uint8Array(0), TABLET);
    assert.equal(rejected[0]?.verdict, 'later');
    assert.deepEqual(door.holes.list(), []);
    assert.equal(door.vector().size, 0);
  });

  it('of a device that makes up floors fill its own share of holes, and nobody else has less', () => {
    const { door } = openDoor();
    const verdicts = (device: string, at: number): (string | undefined)[] =>
      Array.from({ length: DEVICE_HOLES_MAX + 2 }, (_, index) => {
        const origin = `${at}${`${index}`.padStart(15, '0')}` as Origin;
        const floors = [{ origin, class: RECORD, seq: 2 ** 32 - 1 }] as const;
        const op = patchOp({ a: 1 }, { origin, seq: 2 ** 32 });
        const message = encodeOpsMessage([op], floors) ?? new Uint8Array(0);
        return door.acceptOps(message, { role: 'device', device }).rejected[0]?.verdict;
      });
    const expected = [...Array<undefined>(DEVICE_HOLES_MAX).fill(undefined), 'later', 'later'];
    assert.deepEqual(verdicts('liar', 1), expected);
    assert.deepEqual(verdicts('other', 2), expected);
  });

  it('are rejected with the reason when they may not or cannot be', () => {
    const reasonOf = (stamped: StampedOp): string | undefined => {
      const { door, journal } = openDoor();
      const { rejected } = door.acceptOps(opsMessage(stamped), TABLET);
      assert.equal(journal.lastLsn, 0);
      return rejected[0]?.reason;
    };
    assert.match(String(reasonOf(stampedOp({ class: LOG }))), /class log/);
    assert.match(String(reasonOf(stampedOp({ origin: HUB }))), /this hub/);
    assert.match(String(reasonOf(stampedOp({ kind: 4 }))), /malformed doc body/);
    assert.match(String(reasonOf(stampedOp({ kind: 3 }))), /malformed add body/);
    assert.match(String(reasonOf(stampedOp({ kind: 1, body: utf8('no') }))), /malformed patch/);
    assert.match(String(reasonOf(stampedOp({ kind: 2, body: utf8('x') }))), /empty body/);
  });

  it('of an origin that another device speaks for are rejected', () => {
    const { door } = openDoor();
    door.acceptOps(opsMessage(patchOp({ a: 1 })), TABLET);
    const thief = { role: 'device', device: 'thief' } as const;
    const outcome = door.acceptOps(opsMessage(patchOp({ a: 2 }, { seq: 2 })), thief);
    assert.deepEqual(outcome.accepted, []);
    assert.match(String(outcome.rejected[0]?.reason), /another device/);
    const own = door.acceptOps(opsMessage(patchOp({ a: 2 }, { origin: DEVICE_B })), thief);
    assert.equal(own.accepted.length, 1);
  });

  it('that the journal does not take are rejected, and may come again', () => {
    const { door, journal } = openDoor();
    journal.refusal = new HubError('journal.disk-full', 'no space');
    const message = opsMessage(patchOp({ a: 1 }));
    const outcome = door.acceptOps(message, TABLET);
    assert.match(String(outcome.rejected[0]?.reason), /no space/);
    assert.deepEqual(outcome.accepted, [{ origin: DEVICE_A, class: 2, seq: 0 }]);
    journal.refusal = undefined;
    assert.equal(door.acceptOps(message, TABLET).lsn, 1);
  });

  it('are taken up to where a message breaks off', () => {
    const { door, journal } = openDoor();
    const whole = opsMessage(patchOp({ a: 1 }, { seq: 1 }), patchOp({ a: 2 }, { seq: 2 }));
    const outcome = door.acceptOps(whole.subarray(0, whole.length - 1), TABLET);
    assert.match(String(outcome.refused), /cut short/);
    assert.equal(journal.lastLsn, 1);
    assert.match(String(door.acceptOps(utf8('junk'), TABLET).refused), /./);
    assert.match(String(door.acceptOps(new Uint8Array(0), TABLET).refused), /cut short/);
    const tooMany = new CborWriter().array(1001).finish();
    const padded = concatBytes([tooMany, new Uint8Array(2000)]);
    assert.match(String(door.acceptOps(padded, TABLET).refused), /1000 ops/);
    const tooLong = new Uint8Array((1 << 20) + 1);
    assert.match(String(door.acceptOps(tooLong, TABLET).refused), /1048576 bytes/);
  });

  it('never throw, whatever the bytes', () => {
    const { door } = openDoor();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        door.acceptOps(bytes, TABLET);
      }),
    );
  });

  it('are stamped later than they claim to be, unless they claim the far future', () => {
    const { door, journal } = openDoor();
    const near = stampedOp({ seq: 1, atMs: START_MS + 1000 });
    const wild = stampedOp({ seq: 2, atMs: START_MS + 1e9 });
    door.acceptOps(opsMessage(near, wild), TABLET);
    const [first, second] = opsIn(journal);
    assert.ok((first?.stamp.hlc.ms ?? 0) >= START_MS + 1000);
    assert.ok((second?.stamp.hlc.ms ?? Infinity) < START_MS + 1e9);
  });

  it('do not make the hub remember more origins than its limit', () => {
    const { door } = openDoor();
    let refusal: string | undefined;
    for (let i = 0; i < 10_001; i++) {
      const origin = i.toString(16).padStart(16, '0') as Origin;
      refusal = door.acceptOps(opsMessage(stampedOp({ origin })), TABLET).rejected[0]?.reason;
    }
    assert.match(String(refusal), /too many origins/);
  });
});

describe('hand-made entries', () => {
  it('are byte for byte those of the model', () => {
    fc.assert(
      fc.property(anyOp, fc.integer({ min: 1, max: 4 }), (op, authority) => {
        const encoder = new OpEntryEncoder(op.origin, op.clock.bootId);
        const key = new CborWriter().text(op.key).finish();
        const { quality, monotonicMs } = op.clock;
        const own = encoder.own({ ...op, quality, monotonicMs, key, authority });
        const stamp = { hub: op.origin, hlc: op.hlc, authority, rosterEpoch: 0 };
        const bytes = encodeOp(op);
        assert.deepEqual(Buffer.from(own), Buffer.from(encodeOpEntry(bytes, stamp)));
        const given = { bytes, authority, isMessage: false };
        const accepted = encoder.accepted(given, op.hlc);
        assert.deepEqual(Buffer.from(accepted), Buffer.from(encodeOpEntry(bytes, stamp)));
        const message = decodeEntry(encoder.accepted({ ...given, isMessage: true }, op.hlc));
        assert.deepEqual(message, {
          ...decodeEntry(encodeOpEntry(bytes, stamp)),
          delivery: { qos: 1, retain: false, clientId: '', packetId: 0 },
        });
      }),
    );
  });
});
