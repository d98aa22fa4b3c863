/** What every packer of batches promises: the event loop's own and the one in a thread, which is a real thread here. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { build } from 'esbuild';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { must } from '../../src/base/assert.ts';
import { COMPRESSIONS, inlineCompressor } from '../../src/batch/compression.ts';
import type { PackedOps } from '../../src/batch/pack-batch.ts';
import { ENCODINGS } from '../../src/batch/payload.ts';
import { TELEMETRY } from '../../src/model/class.ts';
import { encodeOpEntry } from '../../src/model/entry.ts';
import { encodeOp } from '../../src/model/op.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { startThread } from '../../src/platform/threads.ts';
import { ApartPacker } from '../../src/uplink/packing/apart.ts';
import { InPlacePacker } from '../../src/uplink/packing/in-place.ts';
import { type Packer, PackerGone, type PackOrder } from '../../src/uplink/packing/packer.ts';
import { stampedOps } from '../support/made/batches.ts';
import { ROOT } from '../support/machine/spawn.ts';

const ORDER: PackOrder = { class: TELEMETRY, encoding: 'columns', compression: 'brotli' };
const dir = mkdtempSync(join(tmpdir(), 'heliograph-test-'));
const module = join(dir, 'pack-thread.mjs');

beforeAll(async () => {
  await build({
    bundle: true,
    format: 'esm',
    platform: 'node',
    entryPoints: [join(ROOT, 'src/uplink/packing/pack-thread.ts')],
    outfile: module,
  });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function inPlace(): Packer {
  return new InPlacePacker(inlineCompressor, () => undefined);
}

function apart(): Packer {
  const limits = { heapMib: 64, youngMib: 8 };
  const start = startThread.bind(undefined, pathToFileURL(module), limits);
  return new ApartPacker({ start, timers: machineTimers });
}

const stamped = stampedOps(1, 1_500);
const { op, stamp } = must(stamped[0], 'there are some');
const entries = stamped.map((each) => encodeOpEntry(each.bytes, each.stamp));

async function packedBy(packer: Packer, order = ORDER): Promise<PackedOps> {
  const packing = packer.begin(order);
  for (const entry of entries) packing.add(entry, 0, entry.length);
  const packed = await packing.finish();
  return { ...packed, root: new Uint8Array(packed.root), plain: new Uint8Array(packed.plain) };
}

describe.each(Object.entries({ 'in place': inPlace, apart }))('%s', (_, open) => {
  test('the same entries give the same bytes as anywhere', async () => {
    const packer = open();
    for (const encoding of ENCODINGS) {
      for (const compression of COMPRESSIONS.filter((each) => each !== 'zstd')) {
        const order = { ...ORDER, encoding, compression };
        assert.deepEqual(await packedBy(packer, order), await packedBy(inPlace(), order));
      }
    }
    packer.close();
  });

  test('an op that comes twice is in it once', async () => {
    const packer = open();
    const packing = packer.begin(ORDER);
    for (const entry of [...entries.slice(0, 5), ...entries.slice(3, 6)])
      packing.add(entry, 0, entry.length);
    assert.equal((await packing.finish()).ops, 6);
    packer.close();
  });

  test('an op larger than what travels at a time is in it, and those around it', async () => {
    const large = encodeOp({ ...op, seq: 9_000, body: new Uint8Array(200_000) });
    const mixed = [...entries.slice(0, 400), encodeOpEntry(large, stamp), ...entries.slice(400)];
    const [packer, other] = [open(), inPlace()];
    const [packing, expected] = [packer.begin(ORDER), other.begin(ORDER)];
    for (const entry of mixed) {
      packing.add(entry, 0, entry.length);
      expected.add(entry, 0, entry.length);
    }
    const [packed, wanted] = [await packing.finish(), await expected.finish()];
    assert.equal(packed.ops, entries.length + 1);
    assert.deepEqual(new Uint8Array(packed.plain), new Uint8Array(wanted.plain));
    packer.close();
  });

  test('two batches at a time, and one that is dropped, do not get into each other', async () => {
    const packer = open();
    const [one, two, dropped] = [packer.begin(ORDER), packer.begin(ORDER), packer.begin(ORDER)];
    for (const [index, entry] of entries.entries()) {
      (index < 500 ? one : two).add(entry, 0, entry.length);
      if (index < 10) dropped.add(entry, 0, entry.length);
    }
    dropped.drop();
    const packed = await Promise.all([two.finish(), one.finish()]);
    assert.deepEqual(
      packed.map(({ ops }) => ops),
      [1_000, 500],
    );
    packer.close();
  });
});

test('a thread that is handed nonsense says so, and goes on', async () => {
  const packer = apart();
  const packing = packer.begin(ORDER);
  packing.add(Uint8Array.of(0xff), 0, 1);
  await assert.rejects(packing.finish(), PackerGone);
  assert.equal((await packedBy(packer)).ops, entries.length);
  packer.close();
});

test('closing in the midst ends what is under way, and the thread', async () => {
  const packer = apart();
  const packing = packer.begin(ORDER);
  for (const entry of entries) packing.add(entry, 0, entry.length);
  const finishing = packing.finish();
  packer.close();
  await assert.rejects(finishing, PackerGone);
  assert.throws(() => packer.begin(ORDER), PackerGone);
});

test('a thread whose module is not there is told, not waited for', async () => {
  const missing = pathToFileURL(join(dir, 'missing.mjs'));
  const start = startThread.bind(undefined, missing, { heapMib: 64, youngMib: 8 });
  const packer = new ApartPacker({ start, timers: machineTimers });
  await assert.rejects(packedBy(packer), /missing\.mjs/);
  packer.close();
});
