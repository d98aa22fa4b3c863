/** Batches as columns: what they cost, what is refused, and the example of COLUMNS.md. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { hexOf } from '../../../../src/base/bytes.ts';
import { inlineCompressor } from '../../../../src/batch/compression.ts';
import { decodeColumnsInSlices } from '../../../../src/batch/columns/decode-columns.ts';
import { ColumnEncoder } from '../../../../src/batch/columns/encode-columns.ts';
import { readTables, writeTables } from '../../../../src/batch/columns/tables.ts';
import { encodeOp, type StampedOp } from '../../../../src/model/op.ts';
import {
  assertRoundTrip,
  decodeColumns,
  encodeColumns,
  eventOf,
  eventsOf,
  HUB,
  rowsOf,
  START_MS,
  WIDE_LIMITS,
} from '../../../support/made/columns.ts';
import { ROOT } from '../../../support/machine/spawn.ts';

/** Fifty meters, a reading a minute with up to three seconds of jitter, six fields; the same in every run. */
function readingsOfMeters(count: number): StampedOp[] {
  let state = 12_345;
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const step = (size: number): number => (random() + random() + random() - 1.5) * size;
  const meters = Array.from({ length: 50 }, () => ({ u: 230, i: random() * 10, e: 1000, t: 25 }));
  const due = Array.from({ length: count }, (_, index) => ({
    atMs: START_MS + Math.floor(index / 50) * 60_000 + Math.floor(random() * 3000),
    meter: index % 50,
  })).toSorted((a, b) => a.atMs - b.atMs);
  return due.map(({ atMs, meter }, index) => {
    const meterState = meters[meter] as (typeof meters)[number];
    meterState.u += step(0.6) + (230 - meterState.u) / 50;
    meterState.i = Math.abs(meterState.i + step(0.3));
    meterState.t += step(0.1);
    const powerW = Math.round(meterState.u * meterState.i);
    meterState.e += Math.round(powerW / 60);
    const body = {
      voltage: Number(meterState.u.toFixed(1)),
      current: Number(meterState.i.toFixed(2)),
      power: powerW,
      energy: meterState.e,
      freq: Number((50 + step(0.04)).toFixed(2)),
      temp: Number(meterState.t.toFixed(1)),
    };
    const made = eventOf(index + 1, JSON.stringify(body), {
      hlc: { ms: atMs, counter: index & 7 },
      clock: { quality: 'ntp', bootId: 7, monotonicMs: atMs - START_MS + 5000 },
      key: `site/meters/m${meter}/reading`,
    });
    return { ...made, stamp: { ...made.stamp, hlc: { ms: atMs, counter: index & 0xffff } } };
  });
}

test('readings of meters take less than 6 bytes an op, a fifth of what rows take', async () => {
  const ops = readingsOfMeters(4000);
  const columns = await inlineCompressor.compress(assertRoundTrip(ops));
  const rows = await inlineCompressor.compress(rowsOf(ops));
  assert.ok(columns.length < 6 * ops.length, `${columns.length / ops.length} B an op`);
  assert.ok(columns.length * 4.5 < rows.length, `rows take ${rows.length / ops.length} B an op`);
});

test('no op, and one op', () => {
  assertRoundTrip([]);
  assertRoundTrip(eventsOf(['{"v":1}']));
});

test('bodies that are no text, very long or of very many templates go as they are', () => {
  assertRoundTrip(eventsOf([new Uint8Array([0, 1, 2]), 'x'.repeat(100_000), '', 'x'.repeat(9000)]));
  const words = Array.from({ length: 1500 }, (_, i) => `word ${String.fromCodePoint(0x4e00 + i)}`);
  assertRoundTrip(eventsOf(words));
  const wide = Array.from({ length: 50 }, (_, i) => `${'x'.repeat(i)}${',1'.repeat(64)}`);
  assertRoundTrip(eventsOf(wide));
});

test('decimals too long for the scale of the others keep their text', () => {
  assertRoundTrip(
    eventsOf(['{"v":0.000000001}', '{"v":123456789012345}', '{"v":-7}', '{"v":1.10}']),
  );
});

test('times of the op in its body cost next to nothing', () => {
  const bodies = (make: (ms: number) => string): StampedOp[] =>
    Array.from({ length: 500 }, (_, i) => eventOf(i + 1, make(START_MS + (i + 1) * 1000)));
  const plain = assertRoundTrip(bodies(() => '{"v":1}')).length;
  const iso = bodies((ms) => `{"v":1,"at":"${new Date(ms).toISOString()}"}`);
  assert.ok(assertRoundTrip(iso).length < plain + 60);
  assert.ok(assertRoundTrip(bodies((ms) => `{"v":1,"ts":${ms / 1000}}`)).length < plain + 60);
});

test('the encoder pauses between slices and holds on to nothing it was given', () => {
  const encoder = new ColumnEncoder();
  const ops = readingsOfMeters(2000);
  for (const op of ops) {
    const body = op.op.body.slice();
    encoder.add({ ...op, op: { ...op.op, body } });
    body.fill(0xff);
  }
  assert.equal(encoder.ops, 2000);
  let pauses = 0;
  const slices = encoder.finish();
  for (let slice = slices.next(); ; slice = slices.next()) {
    if (slice.done === true) {
      assert.deepEqual(slice.value, encodeColumns(ops));
      break;
    }
    pauses += 1;
  }
  assert.ok(pauses >= 9, `${pauses} pauses`);
  expect(() => encoder.add(ops[0] as StampedOp)).toThrow(/finished/);
});

test('reading pauses too', () => {
  const slices = decodeColumnsInSlices(encodeColumns(readingsOfMeters(2000)), WIDE_LIMITS);
  let pauses = 0;
  while (slices.next().done !== true) pauses += 1;
  assert.ok(pauses >= 9, `${pauses} pauses`);
});

function reasonOf(bytes: Uint8Array, limits = WIDE_LIMITS): string {
  const outcome = decodeColumns(bytes, limits);
  return outcome.kind === 'malformed' ? outcome.reason : 'read';
}

test('more ops or bytes than allowed are refused', () => {
  const ops = readingsOfMeters(100);
  const bytes = encodeColumns(ops);
  const total = ops.reduce((sum, op) => sum + op.bytes.length, 0);
  assert.equal(reasonOf(bytes, { opsMax: 100, bytesMax: total }), 'read');
  assert.equal(reasonOf(bytes, { opsMax: 99, bytesMax: total }), 'too many ops');
  assert.equal(reasonOf(bytes, { opsMax: 100, bytesMax: total - 1 }), 'more bytes than allowed');
});

test('a few bytes that claim very many ops or a very long key soon end', () => {
  const [op] = readingsOfMeters(1);
  const tables = readTables(encodeColumns([op as StampedOp]), 1);
  const claiming = (count: number, key: string): Uint8Array => {
    const series = tables.series.map((one) => ({ ...one, key }));
    return writeTables({ ...tables, series, counts: [count] });
  };
  assert.match(reasonOf(claiming(20_000, 'a')), /cut short|out of range/);
  assert.equal(reasonOf(claiming(20_001, 'a')), 'too many ops');
  assert.equal(reasonOf(claiming(1, 'k'.repeat(1025))), 'malformed key');
});

test('what the tables promise must be there, and all of it used', () => {
  const bytes = encodeColumns(eventsOf(['{"s":"x"}', new Uint8Array(3), '{"s":"y"}']));
  const tables = readTables(bytes, 3);
  const reasonWith = (parts: Partial<typeof tables>): string =>
    reasonOf(writeTables({ ...tables, ...parts }));
  assert.equal(reasonWith({}), 'read');
  assert.equal(
    reasonWith({ texts: [...tables.texts, tables.coded] }),
    'texts or bodies without an op',
  );
  assert.equal(reasonWith({ texts: tables.texts.slice(1) }), 'unknown text');
  assert.equal(reasonWith({ raw: tables.raw.subarray(1) }), 'cut short');
  assert.equal(reasonWith({ raw: new Uint8Array(4) }), 'texts or bodies without an op');
  assert.equal(reasonWith({ templates: [] }), 'unknown template');
  assert.equal(reasonWith({ stamps: [] }), 'number out of range');
  assert.equal(reasonWith({ clocks: [] }), 'number out of range');
  assert.equal(reasonWith({ origins: [] }), 'malformed origin');
  assert.equal(
    reasonWith({ coded: new Uint8Array([...tables.coded, 0]) }),
    'bytes after the last op',
  );
  const many = Array.from({ length: 33 }, () => new Uint8Array(64));
  assert.equal(reasonWith({ templates: many }), 'too many slots');
  const authority = tables.stamps.map((stamp) => ({ ...stamp, authority: 5 }));
  assert.equal(reasonWith({ stamps: authority }), 'unknown authority');
  assert.match(reasonOf(bytes.with(1, 2)), /unknown format/);
});

test('the example of COLUMNS.md is what the code writes and reads', () => {
  const document = readFileSync(join(ROOT, 'src/batch/COLUMNS.md'), 'utf8');
  const example = /^```hex\n([\s\S]*?)^```/m.exec(document)?.[1] ?? '';
  const hex = example.replaceAll(/;.*$/gm, '').replaceAll(/\s/g, '');
  const ops = [21.5, 21.6].map((value, index) =>
    eventOf(index + 1, `{"v":${value}}`, { origin: HUB }),
  );
  assert.equal(hexOf(encodeColumns(ops)), hex);
  const outcome = decodeColumns(Uint8Array.from(Buffer.from(hex, 'hex')), WIDE_LIMITS);
  assert.ok(outcome.kind === 'ops');
  assert.deepEqual(
    outcome.ops.map(({ bytes }) => bytes),
    ops.map(({ op }) => encodeOp(op)),
  );
});
