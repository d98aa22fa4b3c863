/** Texts of numbers and times: which are taken as numbers, and that only what comes back as it was is. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { textOf, utf8 } from '../../../../src/base/bytes.ts';
import { ByteSink } from '../../../../src/batch/columns/byte-sink.ts';
import {
  DOUBLE,
  ISO_MS,
  ISO_S,
  isoText,
  orderOfSingle,
  SINGLE,
  singleOfOrder,
  SlotReader,
  TEXT,
  writeDecimal,
} from '../../../../src/batch/columns/slot-value.ts';

function read(text: string): [shape: number, number: number] {
  const reader = new SlotReader();
  const bytes = utf8(`<${text}>`);
  reader.read(bytes, 1, bytes.length - 1);
  return [reader.shape, reader.shape === TEXT ? 0 : reader.number];
}

test.each<[string, number, number]>([
  ['0', 0, 0],
  ['-12', 0, -12],
  ['230.10', 2, 23010],
  ['-0.5', 1, -5],
  ['0.000000001', 9, 1],
  ['123456789012345', 0, 123_456_789_012_345],
  ['1e+21', DOUBLE, 1e21],
  ['0.1234567890123', DOUBLE, 0.1234567890123],
  ['0.30000000000000004', DOUBLE, 0.30000000000000004],
  ['21.299999237060547', SINGLE, orderOfSingle(21.299999237060547)],
  ['101327.7265625', SINGLE, orderOfSingle(101327.7265625)],
  ['1970-01-01T00:00:01Z', ISO_S, 1],
  ['2026-03-01T06:10:00.123Z', ISO_MS, 1_772_345_400_123],
  ['0000-01-01T00:00:00Z', ISO_S, -62_167_219_200],
])('%s is a number', (text, shape, number) => {
  assert.deepEqual(read(text), [shape, number]);
});

test.each([
  ['-0', '-0.0', '00', '01.5', '.5', '5.', '1e5', '1E5', '+1', '--1', '1.2.3', '1-2', '-', '', 'x'],
  ['9007199254740993', '12345678901234567890', '1e400', '0x10', 'Infinity'],
  ['2026-02-29T00:00:00Z', '2026-01-01T24:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01 00:00:00Z'],
])('texts that no number gives back stay texts', (...texts) => {
  for (const text of texts) assert.deepEqual(read(text), [TEXT, 0], text);
});

test('decimals are written with all their digits', () => {
  const written = (number: number, digits: number): string | undefined => {
    const sink = new ByteSink(64);
    writeDecimal(sink, number, digits);
    return textOf(sink.slice(0, sink.length));
  };
  assert.equal(written(23010, 2), '230.10');
  assert.equal(written(-5, 3), '-0.005');
  assert.equal(written(Number.MAX_SAFE_INTEGER, 0), '9007199254740991');
});

test('days are those of the calendar, leap years included', () => {
  for (let day = -800_000; day < 2_932_000; day += 97) {
    const ms = day * 86_400_000;
    if (ms < -62_167_219_200_000) continue;
    assert.equal(isoText(ISO_MS, ms), new Date(ms).toISOString());
  }
});

test('neighbours among 32-bit floats have numbers that follow each other', () => {
  for (const value of [0, 1, -1, 3.5, -101325.5, 1e-40]) {
    assert.equal(singleOfOrder(orderOfSingle(Math.fround(value))), Math.fround(value));
  }
  const next = singleOfOrder(orderOfSingle(1) + 1) as number;
  assert.equal(next, 1 + 2 ** -23);
  assert.equal(orderOfSingle(-1), -orderOfSingle(1));
  assert.equal(singleOfOrder(0x7f800000), undefined);
});
