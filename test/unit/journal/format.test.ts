import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';

import { decodeCbor } from '../../../src/codec/reader.ts';
import {
  BLOCK_HEAD_BYTES,
  blockCrc,
  BLOCKS_START,
  encodeSegmentStart,
  finishBlock,
  HEADER_COPY_BYTES,
  isRest,
  KEYRING_BYTES_MAX,
  putEntry,
  scanBlockHead,
  scanEntry,
  scanHeader,
} from '../../../src/journal/format.ts';

const SEGMENT_BYTES = 64 * 1024;
const eightBytes = fc.uint8Array({ minLength: 8, maxLength: 8 });
const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const fields = fc.record({
  segment: number,
  previous: number,
  baseLsn: number,
  epoch: number,
  journalId: eightBytes,
  salt: eightBytes,
  keyring: fc.uint8Array({ maxLength: KEYRING_BYTES_MAX }),
});

describe('header', () => {
  test('reads back as written, from both copies or from either', () => {
    fc.assert(
      fc.property(fields, (each) => {
        const { bytes, header } = encodeSegmentStart(each, SEGMENT_BYTES);
        assert.deepEqual(scanHeader(bytes), { kind: 'header', header, copies: 2 });
        for (const at of [0, HEADER_COPY_BYTES]) {
          const damaged = bytes.slice();
          damaged.fill(0xff, at, at + HEADER_COPY_BYTES);
          assert.deepEqual(scanHeader(damaged), { kind: 'header', header, copies: 1 });
        }
      }),
    );
  });

  test('a copy with any bit turned does not count', () => {
    const { bytes, header } = encodeSegmentStart(
      fc.sample(fields, { numRuns: 1, seed: 1 })[0] as never,
      SEGMENT_BYTES,
    );
    for (let offset = 0; offset < HEADER_COPY_BYTES; offset++) {
      bytes[offset] = (bytes[offset] as number) ^ (1 << (offset % 8));
      assert.deepEqual(scanHeader(bytes), { kind: 'header', header, copies: 1 }, `byte ${offset}`);
      bytes[offset] = (bytes[offset] as number) ^ (1 << (offset % 8));
    }
  });

  test('what is short, empty or something else is none', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(100), new Uint8Array(BLOCKS_START)]) {
      assert.deepEqual(scanHeader(bytes), { kind: 'none' });
    }
  });

  test('a newer version is newer only where both copies say so', () => {
    const { bytes } = encodeSegmentStart(
      fc.sample(fields, { numRuns: 1, seed: 1 })[0] as never,
      SEGMENT_BYTES,
    );
    bytes[24] = 9;
    assert.equal(scanHeader(bytes).kind, 'header');
    bytes[HEADER_COPY_BYTES + 24] = 9;
    assert.deepEqual(scanHeader(bytes), { kind: 'newer', version: 9 });
    bytes.fill(0, 0, HEADER_COPY_BYTES);
    assert.deepEqual(scanHeader(bytes), { kind: 'none' });
  });

  test('starts of equal fields differ by their salt, and so do their tags', () => {
    const base = {
      segment: 1,
      previous: 0,
      baseLsn: 1,
      epoch: 0,
      journalId: new Uint8Array(8),
      keyring: new Uint8Array(0),
    };
    const one = encodeSegmentStart({ ...base, salt: new Uint8Array(8) }, SEGMENT_BYTES);
    const two = encodeSegmentStart({ ...base, salt: new Uint8Array(8).fill(1) }, SEGMENT_BYTES);
    assert.notEqual(one.header.crc, two.header.crc);
  });
});

describe('block', () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 });

  test('reads back as written, and is one CBOR item with the rest behind it', () => {
    fc.assert(
      fc.property(
        entries,
        fc.nat({ max: 0xffffffff }),
        fc.integer({ min: 1, max: 2 ** 52 }),
        (list, tag, firstLsn) => {
          const bytes = new Uint8Array(10_000);
          let at = BLOCK_HEAD_BYTES;
          for (const entry of list) at = putEntry(bytes, at, entry);
          const head = { tag, firstLsn, count: list.length, payloadBytes: at - BLOCK_HEAD_BYTES };
          const length = finishBlock(bytes, head, BLOCKS_START, SEGMENT_BYTES);
          const view = new DataView(bytes.buffer);
          const crc = blockCrc(bytes, 0, at);
          assert.deepEqual(scanBlockHead(view, 0, at), { ...head, crc });
          assert.equal(scanBlockHead(view, 0, at - 1), undefined, 'no block passes the end');
          assert.equal(length, at + 5);
          assert.ok(isRest(view, at, BLOCKS_START + at, SEGMENT_BYTES));
          const payload = bytes.subarray(BLOCK_HEAD_BYTES, at);
          let offset = 0;
          for (const entry of list) {
            const place = scanEntry(payload, offset);
            assert.ok(place);
            assert.deepEqual(payload.slice(place.start, place.end), entry);
            offset = place.end;
          }
          assert.equal(scanEntry(payload, offset), undefined);
        },
      ),
    );
  });

  test('entries of every width of head', () => {
    for (const length of [0, 23, 24, 255, 256, 65_535, 65_536, 200_000]) {
      const entry = new Uint8Array(length).fill(7);
      const bytes = new Uint8Array(length + 5);
      const end = putEntry(bytes, 0, entry);
      assert.deepEqual(decodeCbor(bytes.subarray(0, end)), entry);
      assert.deepEqual(scanEntry(bytes.subarray(0, end), 0), { start: end - length, end });
      if (length > 0) assert.equal(scanEntry(bytes.subarray(0, end - 1), 0), undefined);
    }
  });

  test('too little room for the rest is filled with zeros', () => {
    for (let room = 0; room <= 5; room++) {
      const bytes = new Uint8Array(100).fill(0xee);
      const end = putEntry(bytes, BLOCK_HEAD_BYTES, Uint8Array.of(1));
      const head = { tag: 1, firstLsn: 1, count: 1, payloadBytes: end - BLOCK_HEAD_BYTES };
      const length = finishBlock(bytes, head, BLOCKS_START, BLOCKS_START + end + room);
      assert.equal(length, end + room);
      const rest = room === 5 ? [0x5a, 0, 0, 0, 0] : Array.from({ length: room }, () => 0);
      assert.deepEqual([...bytes.subarray(end, length)], rest);
    }
  });
});
