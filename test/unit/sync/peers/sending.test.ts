/** What a hub sends to a peer from its journal, and what it must not. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { CborError } from '../../../../src/codec/reader.ts';
import { CborWriter } from '../../../../src/codec/writer.ts';
import { ALARM, type OpClass, TELEMETRY } from '../../../../src/model/class.ts';
import { type Lane, laneOf } from '../../../../src/model/origin.ts';
import { encodeOpEntry } from '../../../../src/model/entry.ts';
import { OP_BYTES_MAX, type StampedOp } from '../../../../src/model/op.ts';
import type { OpStamp } from '../../../../src/merge/op-stamps.ts';
import {
  encodePeerMessage,
  PEER_PAGE_OPS_MAX,
  type PeerMessage,
  readPeerMessage,
} from '../../../../src/sync/peers/peer-message.ts';
import type { PeerRange } from '../../../../src/sync/peers/contract.ts';
import { Sending } from '../../../../src/sync/peers/sending.ts';
import { DoorJournal } from '../../../support/memory/door-journal.ts';
import { DEVICE_A, DEVICE_B, HUB, stampedOp } from '../../../support/made/ops.ts';

const LANE_A = laneOf(DEVICE_A, TELEMETRY);

function op(seq: number, opClass: OpClass = TELEMETRY, origin = DEVICE_A): StampedOp {
  return stampedOp({ origin, class: opClass, seq, key: `m/${seq}` });
}

function journalOf(...ops: StampedOp[]): DoorJournal {
  const journal = new DoorJournal();
  for (const { bytes, stamp } of ops) journal.append(encodeOpEntry(bytes, stamp), 0);
  journal.sync();
  return journal;
}

function sendingOf(
  journal: DoorJournal,
  holds: readonly [Lane, number][] = [],
  isAllowed: (opClass: OpClass) => boolean = () => true,
  holes: readonly PeerRange[] = [],
  ownHoles: readonly PeerRange[] = [],
): Sending {
  const peerJournal = Object.assign(journal, { whenDurable: () => Promise.resolve() });
  return new Sending({
    journal: peerJournal,
    peerHolds: new Map(holds),
    peerHoles: holes,
    ownHoles: () => ownHoles,
    hearsAgain: () => false,
    isAllowed,
    nowMs: () => 0,
  });
}

test('the largest op that a door takes goes over in one packet, and no lane stops for it', () => {
  const sized = (length: number): StampedOp =>
    stampedOp({ seq: 1, key: 'k'.repeat(1024), body: new Uint8Array(length) });
  const body = OP_BYTES_MAX - (sized(OP_BYTES_MAX).bytes.length - OP_BYTES_MAX);
  const largest = sized(body);
  assert.equal(largest.bytes.length, OP_BYTES_MAX);
  const sending = sendingOf(journalOf(largest));
  const page = sending.step();
  assert.equal(page?.ops.length, 1);
  assert.equal(sending.stuckLanes, 0);
  const message = encodePeerMessage({
    kind: 'page',
    number: 2 ** 32,
    hasMore: true,
    ops: page.ops,
  });
  const topic = `sync/${'n'.repeat(256)}/peered`;
  assert.ok(message.length + topic.length + 4 <= 1_048_576, 'broker.packet_bytes_max');
  assert.equal(readPeerMessage(message).kind, 'page');
});

function seqsOf(sending: Sending): string[] {
  return (sending.step()?.ops ?? []).map(
    ({ stamped, previous }) => `${stamped.op.seq}${previous === undefined ? '' : `<${previous}`}`,
  );
}

describe('a hub sends', () => {
  test('what the peer lacks, once, and nothing that came from there', () => {
    const journal = journalOf(op(1), op(2), op(3));
    const sending = sendingOf(journal, [[LANE_A, 1]]);
    assert.deepEqual(seqsOf(sending), ['2', '3']);
    const fourth = op(4);
    sending.peerHolds(LANE_A, 4);
    journal.append(encodeOpEntry(fourth.bytes, fourth.stamp), 0);
    journal.sync();
    assert.deepEqual(seqsOf(sending), []);
  });

  test('in pages that end', () => {
    const journal = journalOf(
      ...Array.from({ length: PEER_PAGE_OPS_MAX + 3 }, (_, at) => op(at + 1)),
    );
    const sending = sendingOf(journal);
    const first = sending.step();
    assert.equal(first?.ops.length, PEER_PAGE_OPS_MAX);
    assert.equal(first.hasMore, true);
    const second = sending.step();
    assert.deepEqual([second?.ops.length, second?.hasMore], [3, false]);
  });

  test('what is not allowed later, when it is', () => {
    const journal = journalOf(op(1), op(1, ALARM), op(2), op(2, ALARM));
    let isScarce = true;
    const sending = sendingOf(journal, [], (opClass) => !isScarce || opClass === ALARM);
    assert.deepEqual(seqsOf(sending), ['1', '2'], 'the alarms');
    isScarce = false;
    assert.deepEqual(seqsOf(sending), []);
    sending.allowedChanged();
    assert.deepEqual(seqsOf(sending), ['1', '2'], 'and no alarm again');
  });

  test('on behind what is lost for good, and says so', () => {
    assert.deepEqual(seqsOf(sendingOf(journalOf(op(1), op(5)))), ['1', '5<1']);
    assert.deepEqual(seqsOf(sendingOf(journalOf(op(1), op(5)), [[LANE_A, 3]])), ['5<1']);
  });

  test('what the peer has lost in the midst of its lanes', () => {
    const journal = journalOf(op(1), op(2), op(3), op(4), op(5));
    const holes = [{ lane: LANE_A, from: 2, to: 3 }];
    assert.deepEqual(seqsOf(sendingOf(journal, [[LANE_A, 4]], undefined, holes)), ['2', '3', '5']);
  });

  test('nothing of a lane whose next op it has let go of', () => {
    const journal = journalOf(op(1), op(2), op(3), op(1, TELEMETRY, DEVICE_B));
    journal.release(2);
    const sending = sendingOf(journal);
    assert.deepEqual(seqsOf(sending), ['1'], 'the lane of the other device');
    assert.equal(sending.stuckLanes, 1);
    assert.deepEqual(seqsOf(sendingOf(journal, [[LANE_A, 2]])), ['3', '1'], 'who has them goes on');
  });

  test('what begins late, where it was told itself that nobody gave it the beginning', () => {
    const journal = journalOf(op(1, ALARM), op(51), op(52));
    journal.release(1);
    const told = [{ lane: LANE_A, from: 1, to: 50 }];
    assert.deepEqual(seqsOf(sendingOf(journal, [], undefined, [], told)), ['51<0', '52']);
    const partly = [{ lane: LANE_A, from: 1, to: 49 }];
    assert.deepEqual(seqsOf(sendingOf(journal, [], undefined, [], partly)), []);
    assert.deepEqual(seqsOf(sendingOf(journal, [[LANE_A, 20]], undefined, [], told)), [
      '51<20',
      '52',
    ]);
  });

  test('no line of its own sync log, and nothing that is not durable', () => {
    const journal = journalOf(op(1, 6), op(1));
    const last = op(2);
    journal.append(encodeOpEntry(last.bytes, last.stamp), 0);
    assert.deepEqual(seqsOf(sendingOf(journal)), ['1']);
  });
});

const STAMP: OpStamp = {
  op: { origin: HUB, class: 2, seq: 3 },
  authority: 4,
  hub: HUB,
  hlc: { ms: 5, counter: 6 },
};

describe('messages', () => {
  const messages: PeerMessage[] = [
    {
      kind: 'open',
      hub: HUB,
      site: 'kisumu',
      vector: new Map([[LANE_A, 7]]),
      holes: [{ lane: LANE_A, from: 2, to: 3 }],
      rosterEpoch: 3,
    },
    {
      kind: 'page',
      number: 1,
      ops: [{ stamped: op(1) }, { stamped: op(5), previous: 1 }],
      hasMore: true,
    },
    { kind: 'page', number: 2, ops: [], hasMore: false },
    { kind: 'taken', number: 2 },
    { kind: 'lapse', reason: 'the hub stops', waitS: 1, isCopied: false },
    { kind: 'roster', bytes: Uint8Array.of(1, 2) },
    {
      kind: 'compare',
      number: 1,
      ranges: [{ lane: LANE_A, from: 1, to: 1_024, digest: new Uint8Array(8).fill(7) }],
    },
    { kind: 'differ', number: 1, large: [0], stamps: [STAMP] },
    { kind: 'stamps', stamps: [STAMP] },
  ];

  test.each(messages)('$kind is read as it was written', (message) => {
    assert.deepEqual(readPeerMessage(encodePeerMessage(message)), message);
  });

  test('a peer puts nobody off for longer than minutes, nor has more to say of it than a page shows', () => {
    const writer = new CborWriter(4096).array(3).uint(3);
    const read = readPeerMessage(
      writer
        .text('x'.repeat(100_000))
        .uint(2 ** 40)
        .finish(),
    );
    assert.ok(read.kind === 'lapse');
    assert.deepEqual([read.waitS, read.reason.length], [300, 500]);
  });

  test.each(messages)('$kind cut or lengthened is refused', (message) => {
    const bytes = encodePeerMessage(message);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => readPeerMessage(bytes.subarray(0, length)), CborError);
    }
    assert.throws(() => readPeerMessage(Uint8Array.of(...bytes, 0)), CborError);
  });
});
