import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';

import { concatBytes, hexOf, utf8 } from '../../../../src/base/bytes.ts';
import { CborError } from '../../../../src/codec/reader.ts';
import {
  decodeEntry,
  encodeCopyEntry,
  encodeDelivery,
  encodeLocalEntry,
  encodeOpEntry,
} from '../../../../src/model/entry.ts';
import { effectiveHlc } from '../../../../src/model/hlc.ts';
import { OpScan } from '../../../../src/store/folding/op-scan.ts';
import { anyHistory } from '../../../support/made/histories.ts';
import { stampedOp } from '../../../support/made/ops.ts';

const scan = new OpScan();

function isOpFor(bytes: Uint8Array): boolean {
  try {
    return decodeEntry(bytes).type === 'op';
  } catch (error) {
    if (error instanceof CborError) return false;
    throw error;
  }
}

describe('scan of an op', () => {
  it('reads what the decoder reads', () => {
    fc.assert(
      fc.property(anyHistory, fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }), (history, seq) => {
        for (const { op: plain, stamp } of history) {
          const { op, bytes } = stampedOp({ ...plain, seq: Number(seq) });
          // A copy from the region, an event among them, is folded by the same scan.
          assert.ok(scan.read(encodeCopyEntry(bytes, stamp)));
          const entry = encodeOpEntry(bytes, stamp);
          assert.ok(scan.read(entry));
          const lane = entry.subarray(scan.laneAt, scan.laneAt + 9);
          assert.equal(hexOf(lane), op.origin + op.class.toString(16).padStart(2, '0'));
          const hlc = effectiveHlc(op.hlc, stamp.hlc);
          assert.deepEqual(
            [scan.class, scan.seq, scan.kind, scan.ms, scan.counter],
            [op.class, op.seq, op.kind, hlc.ms, hlc.counter],
          );
          assert.deepEqual(entry.slice(scan.keyAt, scan.keyEnd), utf8(op.key));
          assert.deepEqual(entry.slice(scan.bodyAt, scan.bodyEnd), op.body.slice());
          assert.equal(hexOf(entry.subarray(scan.hubAt, scan.hubAt + 8)), stamp.hub);
          assert.deepEqual(
            { ms: scan.stampMs, counter: scan.stampCounter },
            { ms: stamp.hlc.ms, counter: stamp.hlc.counter },
          );
        }
      }),
      { numRuns: 30 },
    );
  });

  it('reads the op of a publish that carries its delivery, and no other fourth item', () => {
    const { bytes, stamp } = stampedOp({ body: utf8('x') });
    const plain = encodeOpEntry(bytes, stamp);
    const withItem = (item: Uint8Array): Uint8Array => {
      const entry = concatBytes([plain, item]);
      entry[0] = 0x84;
      return entry;
    };
    const delivery = encodeDelivery({ qos: 2, retain: true, clientId: 'pump', packetId: 300 });
    assert.ok(scan.read(withItem(delivery)));
    assert.deepEqual(scan.bytes.slice(scan.bodyAt, scan.bodyEnd), utf8('x'));
    for (let at = 0; at < delivery.length; at++) {
      for (let bit = 0; bit < 7; bit++) {
        const changed = delivery.slice();
        changed[at] = (changed[at] as number) ^ (1 << bit);
        const entry = withItem(changed);
        assert.equal(scan.read(entry), isOpFor(entry), hexOf(entry));
      }
    }
  });

  it('refuses what the decoder refuses: any byte changed, cut off or added', () => {
    const { bytes, stamp } = stampedOp({ seq: 70_000, key: 'ß', body: utf8('x'.repeat(300)) });
    const entry = encodeOpEntry(bytes, stamp);
    const judge = (changed: Uint8Array): void => {
      // A key that is no text is found out when the key is met.
      if (!scan.read(changed)) assert.equal(isOpFor(changed), false, hexOf(changed));
      else if (!isOpFor(changed)) {
        const key = changed.subarray(scan.keyAt, scan.keyEnd);
        assert.notDeepEqual(key.slice(), utf8('ß'), hexOf(changed));
      }
    };
    for (let at = 0; at < entry.length; at++) {
      judge(entry.slice(0, at));
      for (let bit = 0; bit < 8; bit++) {
        const changed = entry.slice();
        changed[at] = (changed[at] as number) ^ (1 << bit);
        judge(changed);
      }
    }
    assert.equal(scan.read(concatBytes([entry, Uint8Array.of(0)])), false);
    assert.equal(scan.read(encodeLocalEntry(Uint8Array.of(1))), false);
    assert.equal(scan.read(new Uint8Array(0)), false);
  });
});
