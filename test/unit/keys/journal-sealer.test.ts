/** Seals of blocks: what they bind, and nonces that never repeat. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { hexOf } from '../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { EpochKeys } from '../../../src/keys/epochs.ts';
import { EPOCH_BYTES_MAX, JournalSealer, SEAL_BYTES } from '../../../src/keys/journal-sealer.ts';
import { kekOf } from '../../../src/keys/key-encryption.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

const random = new SeededRandom(1);
const kek = kekOf(new Uint8Array(32).fill(1));

function sealerOn(files = new SimFiles({ random })): JournalSealer {
  const keys = new EpochKeys({ files, dir: '/keys/epochs', log: SILENT_LOG, openers: [kek] });
  const clock = new SimClock(0);
  return new JournalSealer({ keys, clock, kek, random, escrowKey: undefined });
}

test('what is sealed opens at its place and nowhere else, whole and not otherwise', () => {
  const sealer = sealerOn();
  sealer.begin(0);
  const { epoch, keyring } = sealer.forNewSegment();
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }),
      fc.nat(),
      (plain, segment, lsn, dice) => {
        const sealed = sealer.seal(epoch, segment, lsn, plain);
        assert.equal(sealed.length, plain.length + SEAL_BYTES);
        const opened = sealer.open(epoch, keyring, segment, lsn, sealed);
        assert.deepEqual([...(opened ?? [])], [...plain]);
        assert.equal(sealer.open(epoch, keyring, segment + 1, lsn, sealed), undefined);
        assert.equal(sealer.open(epoch, keyring, segment, lsn + 1, sealed), undefined);
        sealed[dice % sealed.length] = (sealed[dice % sealed.length] ?? 0) ^ (1 << (dice % 8));
        assert.equal(sealer.open(epoch, keyring, segment, lsn, sealed), undefined);
      },
    ),
  );
  assert.equal(sealer.open(epoch, keyring, 1, 1, new Uint8Array(SEAL_BYTES - 1)), undefined);
});

test('no key seals two blocks under one nonce, over any number of opens', () => {
  const files = new SimFiles({ random });
  const seen = new Set<string>();
  for (let open = 0; open < 5; open++) {
    const sealer = sealerOn(files);
    sealer.begin(0);
    for (let segment = 1; segment <= 3; segment++) {
      const { epoch, keyring } = sealer.forNewSegment();
      for (let i = 0; i < 10; i++) {
        const sealed = sealer.seal(epoch, 1, 1, new Uint8Array(10));
        const nonce = `${hexOf(keyring)} ${hexOf(sealed.subarray(0, 8))}`;
        assert.ok(!seen.has(nonce), nonce);
        seen.add(nonce);
      }
    }
  }
  assert.equal(new Set([...seen].map((each) => each.slice(0, 16))).size, 5, 'a key for each open');
});

test('an epoch ends with a segment once it has sealed its share; segments begun before keep theirs', () => {
  const sealer = sealerOn();
  sealer.begin(41);
  const first = sealer.forNewSegment();
  assert.equal(first.epoch, 42);
  sealer.seal(42, 1, 1, new Uint8Array(EPOCH_BYTES_MAX - 1));
  assert.equal(sealer.forNewSegment().epoch, 42);
  sealer.seal(42, 1, 2, new Uint8Array(1));
  const second = sealer.forNewSegment();
  assert.equal(second.epoch, 43);
  assert.notDeepEqual(second.keyring, first.keyring);
  const late = sealer.seal(42, 2, 3, Uint8Array.of(1));
  assert.deepEqual(sealer.open(42, first.keyring, 2, 3, late)?.length, 1);
});

test('a disk without room for a key says so, and the next try has another key', () => {
  const files = new SimFiles({ random });
  const sealer = sealerOn(files);
  sealer.begin(0);
  files.setCapacity(0);
  assert.throws(() => sealer.forNewSegment(), { code: 'ENOSPC' });
  files.setCapacity(1 << 20);
  assert.equal(sealer.forNewSegment().epoch, 1);
});
