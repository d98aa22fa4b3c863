/** Snapshots of every format that was ever written still read, unless they bear no signature. The files are never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, it } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { Identity, verifyEd25519 } from '../../src/keys/identity.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { readSnapshot, type Snapshot, writeSnapshot } from '../../src/snapshot/snapshot-file.ts';
import { openStore } from '../support/memory/stores.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const file = (name: string): string => join(import.meta.dirname, name);
const SIGNER = Identity.fromSeed(new Uint8Array(32).fill(7));
const TRUST = { publicKey: SIGNER.publicKey, verify: verifyEd25519 };
const DIGESTS: Readonly<Record<number, string>> = {
  2: '4a701de43d52c96522971ac0d8bfec047078cfa1610a2157601ddbe41a9c4461',
  3: 'c4ddcaf0e76ff0da832f29cd37f693dd9a883031c32288f5887f131d010bc86a',
  4: '34e065ace6b59009f8b510aa63ced49f8cf05674570fa678e2b812bff70ef243',
  5: '888aa5eb19d7e6d2df9949d2f517c67b41060e4b08e5c0e647bcc06fa13bb4ad',
  6: 'fc7fcb3aa328b654df1ab7c56155b5b7198881ef972535ac8404dd06c56e7397',
  7: '4798555a939f5f6d1bf3c7873be95315ad62990d30644fe53a16d7a12793d671',
};

function readable(value: unknown): unknown {
  const plain = (_key: string, part: unknown): unknown => {
    if (part instanceof Uint8Array) return hexOf(part);
    if (typeof part === 'bigint') return String(part);
    return part instanceof Map ? Object.fromEntries(part) : part;
  };
  return JSON.parse(JSON.stringify(value, plain));
}

function golden(format: number): Snapshot {
  return readSnapshot(machineFiles, file(`snapshot-${format}.cbor`), TRUST) as Snapshot;
}

describe.each([2, 3, 4, 5, 6, 7])('golden snapshot, format %i', (format) => {
  it('reads as its dump says', () => {
    const { manifest, items } = golden(format);
    const dump = JSON.parse(readFileSync(file(`snapshot-${format}.json`), 'utf8'));
    assert.deepEqual(readable({ manifest, items: [...items] }), dump);
    assert.equal(hexOf(manifest.digest), DIGESTS[format]);
  });

  it('is taken over by a store', () => {
    const store = openStore(tempDir());
    const { manifest, items } = golden(format);
    store.load(items, manifest.lsn);
    assert.equal(store.digest().digest, DIGESTS[format]);
    // Format 2 has no ops on records: they were made from the fields.
    assert.ok(store.records.history('pump').length > 1);
    store.close();
  });
});

describe('golden snapshot, format 7', () => {
  it('is written again byte for byte', async () => {
    const dir = tempDir();
    const path = `${dir}/state.snapshot`;
    const store = openStore(dir);
    const { manifest, items } = golden(7);
    store.load(items, manifest.lsn);
    const clock = new SimClock(manifest.createdMs);
    await writeSnapshot({
      files: machineFiles,
      path,
      lsn: manifest.lsn,
      items: store.dump(),
      signer: SIGNER,
      clock,
      siteClock: clock,
      timers: machineTimers,
    });
    assert.deepEqual(readFileSync(path), readFileSync(file('snapshot-7.cbor')));
    store.close();
  });
});

describe('golden snapshot, format 1', () => {
  it('is refused, because nobody signed it', () => {
    assert.throws(() => readSnapshot(machineFiles, file('snapshot-1.cbor'), TRUST), {
      code: 'snapshot.untrusted',
    });
  });
});
