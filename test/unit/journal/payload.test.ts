import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';

import { pack, PACKED_PLAIN_BYTES_MAX, unpack } from '../../../src/journal/payload.ts';
import { dumpJournal, verifyJournal } from '../../../src/journal/recovery/inspect.ts';
import { DIR, Rig, SEALINGS, SEGMENT_BYTES } from '../../fault/journal-rig.ts';

const alike = (length: number): Uint8Array => new Uint8Array(length).fill(0x41);

/** Bytes of the segments that are not the zeros of a new file. */
function filledBytes({ files }: Rig): number {
  const names = files.list(DIR).filter((name) => name.endsWith('.segment'));
  const bytes = names.map((name) => files.read(`${DIR}/${name}`) ?? new Uint8Array(0));
  return bytes.reduce((sum, each) => sum + each.filter((byte) => byte !== 0).length, 0);
}

describe('packing', () => {
  test('what is packed comes back, and anything else as it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(200), (bytes, times) => {
        const entries = Buffer.concat(Array.from({ length: times }, () => bytes));
        const packed = pack(entries);
        if (packed !== undefined) {
          assert.ok(packed.length < entries.length);
          assert.deepEqual(unpack(packed), new Uint8Array(entries));
        }
        assert.deepEqual(unpack(bytes), bytes);
      }),
    );
  });

  test('is left out where it would take long, or save nothing', () => {
    assert.equal(pack(alike(100)), undefined);
    assert.equal(pack(alike(PACKED_PLAIN_BYTES_MAX + 1)), undefined);
    assert.ok(pack(alike(PACKED_PLAIN_BYTES_MAX)));
    assert.equal(pack(new Rig(1).random.bytes(10_000)), undefined);
  });

  test('damage gives no entries, and no more memory than a block may have', () => {
    const packed = pack(alike(PACKED_PLAIN_BYTES_MAX)) as Uint8Array;
    for (let at = 0; at < packed.length; at++) {
      const damaged = packed.slice();
      damaged[at] = (damaged[at] as number) ^ 0x55;
      const out = unpack(damaged);
      assert.ok(out === damaged || out.length === PACKED_PLAIN_BYTES_MAX, `byte ${at}`);
    }
    const cut = packed.subarray(0, -1);
    assert.equal(unpack(cut), cut);
    const tooLong = packed.slice();
    new DataView(tooLong.buffer).setUint32(2, PACKED_PLAIN_BYTES_MAX - 1);
    assert.equal(unpack(tooLong), tooLong, 'it goes on beyond the length that it names');
  });
});

describe.each(SEALINGS)('a block of entries that waited, %s,', (sealing) => {
  test('takes a part of their bytes, and is read by cursors, by the next open and from outside', async () => {
    const rig = new Rig(1, { segmentBytes: 8 * SEGMENT_BYTES }, sealing);
    await rig.open();
    await rig.settle(100);
    const before = filledBytes(rig);
    await rig.commitAlike(200);
    const entriesBytes = [...rig.appended.values()].reduce((sum, { length }) => sum + length, 0);
    const written = filledBytes(rig) - before;
    assert.ok(written < entriesBytes / 5, `${written} for ${entriesBytes}`);
    rig.check();
    rig.end('power-cut');
    await rig.open();
    rig.check();
    await rig.commit(5);
    await rig.close();
    const sealer = rig.sealer();
    assert.deepEqual(verifyJournal(rig.files, DIR, sealer).damages, []);
    assert.equal([...dumpJournal(rig.files, DIR, sealer)].length, 205);
  });

  test('is rewritten at an open, however much it unpacks to', async () => {
    const rig = new Rig(1, {}, sealing);
    await rig.open();
    // Each of them packs to less than an eighth of a segment, all together unpack to more than a segment.
    for (let i = 0; i < 6; i++) await rig.commitAlike(15);
    rig.end('kill');
    await rig.open();
    await rig.checkUsable();
  });
});
