/** The bit coder and the number model: what goes in comes out, and what repeats costs next to nothing. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { BitDecoder, BitEncoder, Odds } from '../../../../src/batch/columns/bit-coder.ts';
import { ColumnsError } from '../../../../src/batch/columns/columns-error.ts';
import { newMemory, NumberModel, SymbolModel } from '../../../../src/batch/columns/number-model.ts';

const EXTREMES = [
  [0, 0],
  [5, 5],
  [0, 1],
  [0, -1],
  [100, -1_000_000],
  [0, 2 ** 31],
  [0, -(2 ** 32)],
  [0, 2 ** 52 - 1],
  [0, 2 ** 52],
  [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER],
  [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  [7, 7],
] as const;

test('any safe integer comes back, however far from its prediction', () => {
  const coder = new BitEncoder();
  const [model, memory] = [new NumberModel(), newMemory()];
  for (const [prediction, value] of EXTREMES) model.code(coder, memory, prediction, value);
  const decoder = new BitDecoder(coder.finish());
  const [readModel, readMemory] = [new NumberModel(), newMemory()];
  for (const [prediction, value] of EXTREMES) {
    assert.equal(readModel.code(decoder, readMemory, prediction, 0), value);
  }
  assert.ok(decoder.atEnd);
});

test('a hundred thousand numbers as predicted take less than sixty bytes', () => {
  const coder = new BitEncoder();
  const [model, memory] = [new NumberModel(), newMemory()];
  for (let i = 0; i < 100_000; i++) model.code(coder, memory, i, i);
  assert.ok(coder.finish().length < 60);
});

test('even noise of 12 bits takes 12 bits and hardly more', () => {
  const coder = new BitEncoder();
  const [model, memory] = [new NumberModel(), newMemory()];
  let state = 1;
  for (let i = 0; i < 10_000; i++) {
    state = (state * 48_271) % 2_147_483_647;
    model.code(coder, memory, 2048, (state >>> 8) & 4095);
  }
  const bitsEach = (coder.finish().length * 8) / 10_000;
  assert.ok(bitsEach > 11.9 && bitsEach < 12.3, `${bitsEach} bits`);
});

test('bits, plain bits and symbols come back in their order', () => {
  const coder = new BitEncoder();
  const [odds, symbols] = [new Odds(2), new SymbolModel(4)];
  for (let i = 0; i < 200; i++) {
    coder.bit(odds, i & 1, i % 3 === 0 ? 1 : 0);
    coder.plain(30, (i * 7_919) & 0x3fffffff);
    symbols.code(coder, i & 15);
  }
  const decoder = new BitDecoder(coder.finish());
  const [readOdds, readSymbols] = [new Odds(2), new SymbolModel(4)];
  for (let i = 0; i < 200; i++) {
    assert.equal(decoder.bit(readOdds, i & 1, 0), i % 3 === 0 ? 1 : 0);
    assert.equal(decoder.plain(30, 0), (i * 7_919) & 0x3fffffff);
    assert.equal(readSymbols.code(decoder, 0), i & 15);
  }
  assert.ok(decoder.atEnd);
});

test('a decoder that reads on behind the end knows it', () => {
  const coder = new BitEncoder();
  coder.plain(8, 0xa5);
  const decoder = new BitDecoder(coder.finish());
  assert.equal(decoder.plain(8, 0), 0xa5);
  assert.ok(decoder.atEnd);
  decoder.plain(24, 0);
  assert.ok(!decoder.withinBytes);
});

test('a number beyond the safe integers is refused', () => {
  const coder = new BitEncoder();
  new NumberModel().code(coder, newMemory(), 0, 2 ** 52 - 1);
  const decoder = new BitDecoder(coder.finish());
  assert.throws(
    () => new NumberModel().code(decoder, newMemory(), Number.MAX_SAFE_INTEGER, 0),
    ColumnsError,
  );
});
