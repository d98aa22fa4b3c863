/**
 * BATCH.md, COLUMNS.md and BUNDLE.md followed by somebody else: a reader in Python, written from their texts alone, over the golden
 * files and over columns of any ops. Signatures, ids, trees, rows, columns, encryption up and down, chunks, greetings, receipts, the
 * answer after a cut, and bundles.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';

import { concatBytes, hexOf, utf8 } from '../../src/base/bytes.ts';
import type { StampedOp } from '../../src/model/op.ts';
import { anyBody, anyLivelyOp, anyStamped } from '../support/made/column-ops.ts';
import { encodeColumns, eventOf, eventsOf, rowsOf, START_MS } from '../support/made/columns.ts';
import { testUnless } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const READER = join(import.meta.dirname, 'batch_reader.py');
const CLAIMS = 9;
/** Of each kind of ops. */
const SAMPLES = 40;

/** Debian's comes first: it is the one that Debian's packages are for, whatever else is on the path. */
const PYTHONS = ['/usr/bin/python3', 'python3'];
const MODULES = ['cryptography', 'brotli'];

interface Ran {
  readonly output: string;
  readonly isGood: boolean;
}

function run(python: string, ...argv: readonly string[]): Ran {
  const { stdout, stderr, status } = spawnSync(python, argv, { encoding: 'utf8' });
  return { output: `${stdout}${stderr}`, isGood: status === 0 };
}

const able = PYTHONS.find((python) => run(python, '-c', `import ${MODULES.join(', ')}`).isGood);
const packages = MODULES.map((name) => `python3-${name}`).join(', ');
const lacking = able === undefined ? `needs ${packages}` : undefined;

const python = (...argv: readonly string[]): Ran => run(able as string, ...argv);

/** Columns of any ops, and of readings by the minute for which most ways of prediction are made, with their rows. */
function writeSamples(path: string): void {
  const byMinute = (what: (at: number) => string): StampedOp[] =>
    Array.from({ length: 600 }, (_, at) => {
      const ms = START_MS + at * 60_000 + Math.round(1_500 * Math.sin(at * at));
      return eventOf(at + 1, what(at), { hlc: { ms, counter: 0 } });
    });
  const regular = [
    (at: number) => `{"wh":${at * 37 + (at % 5)},"at":${START_MS + at * 60_000}}`,
    (at: number) => `{"v":${(230 + Math.sin(at)).toFixed(2)},"t":${Math.fround(20 + Math.sin(at / 50))}}`,
    (at: number) => `{"s":${Math.floor((START_MS + at * 60_000) / 1_000)},"x":${Math.cos(at / 9)}}`,
    (at: number) => `{"n":${((at * 7_919) % 101) / 10},"is":"${at % 17 > 3 ? 'on' : 'off'}"}`,
  ].map(byMinute);
  const made = [anyStamped, anyLivelyOp].flatMap((op) =>
    fc.sample(fc.array(op, { maxLength: 40 }), SAMPLES),
  );
  const bodies = fc.sample(fc.array(anyBody, { maxLength: 40 }), SAMPLES).map(eventsOf);
  // Texts are bytes: nobody has to write UTF-8.
  const bare = eventsOf([0x80, 0xae, 0xff].map((byte) => concatBytes([utf8('{"s":"'), Uint8Array.of(byte), utf8('"}')])));
  const samples = [...regular, ...made, ...bodies, bare].map((ops) => ({
    columns: hexOf(encodeColumns(ops)),
    rows: hexOf(rowsOf(ops)),
  }));
  writeFileSync(path, JSON.stringify(samples));
}

testUnless(lacking, 'a reader written from the documents reads what we wrote', () => {
  const samples = join(tempDir(), 'columns.json');
  writeSamples(samples);
  const read = python(READER, import.meta.dirname, samples);
  assert.ok(read.isGood, read.output);
  assert.equal(read.output.trim().split('\n').length, CLAIMS, read.output);
  // It does look: one bit of an encrypted payload, and it stops there.
  const dir = tempDir();
  cpSync(import.meta.dirname, dir, { recursive: true });
  const path = join(dir, 'batch-down-1.json');
  const golden = JSON.parse(readFileSync(path, 'utf8')) as { batch: string };
  const [last] = golden.batch.slice(-1);
  const batch = `${golden.batch.slice(0, -1)}${last === '0' ? '1' : '0'}`;
  writeFileSync(path, JSON.stringify({ ...golden, batch }));
  const changed = python(READER, dir, samples);
  assert.ok(!changed.isGood);
  assert.match(changed.output, /payload_sha256/);
});
