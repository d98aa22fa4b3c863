/** Batches and messages of every format that was ever written still read. The files are never edited. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import type { Compressor } from '../../src/batch/compression.ts';
import { parseChunk } from '../../src/batch/wire/chunks.ts';
import { parseDownHello, parseHave, parseHello } from '../../src/batch/wire/messages.ts';
import { parseReceipt } from '../../src/batch/wire/receipt.ts';
import { openBatch, splitBatch } from '../../src/batch/open-batch.ts';
import { ENCODINGS } from '../../src/batch/payload.ts';
import { BatchBuilder } from '../../src/batch/seal-batch.ts';
import { verifyEd25519 } from '../../src/keys/identity.ts';
import { TELEMETRY } from '../../src/model/class.ts';
import {
  HUB,
  HUB_ID,
  noPause,
  OPENING,
  REGION,
  SITE,
  stampedOps,
  START_MS,
} from '../support/made/batches.ts';
import { fromHex } from '../support/made/hex.ts';
import { ROOT } from '../support/machine/spawn.ts';

/** Lets every batch travel as it is. */
const neverShorter: Compressor = {
  compress: (raw) => Promise.resolve(new Uint8Array(raw.length)),
  decompress: () => Promise.resolve(undefined),
};

function readable(value: unknown): unknown {
  // A buffer has turned itself into a list before the replacer sees it, but not in the object that holds it.
  const plain = function plain(this: Record<string, unknown>, key: string, each: unknown): unknown {
    const own = this[key];
    return own instanceof Uint8Array ? hexOf(own) : each;
  };
  return JSON.parse(JSON.stringify(value, plain));
}

function golden(name: string): string {
  return readFileSync(join(import.meta.dirname, name), 'utf8');
}

test('the example of BATCH.md §8 is what we write and what we read', async () => {
  const text =
    readFileSync(join(ROOT, 'src/batch/BATCH.md'), 'utf8').split('## 8. Example')[1] ?? '';
  const [, id = '', block = ''] = /id is `([0-9a-f]+)`[^`]*```\n([^`]*)```/.exec(text) ?? [];
  const hex = block
    .split('\n')
    .map((line) => /^ *((?:[0-9a-f]{2,}(?: |$))*)/.exec(line)?.[1] ?? '')
    .join('')
    .replaceAll(' ', '');
  const builder = new BatchBuilder(TELEMETRY, { opsMax: 10, opBytesMax: 1 << 20 }, 'rows');
  for (const op of stampedOps(1, 2)) builder.add(op);
  const stretch = { previous: undefined, fromLsn: 1, throughLsn: 5 };
  const created = { createdMs: START_MS, quality: 'ntp' as const };
  const tools = { signer: HUB, compressor: neverShorter, pause: noPause };
  const sealed = await builder.seal({ site: SITE, ...stretch, ...created }, tools);
  assert.equal(sealed.id, id);
  assert.equal(hexOf(sealed.bytes), hex);
  const expected = { id: sealed.id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
  const outcome = await openBatch(fromHex(hex), expected, OPENING);
  assert.equal(outcome.kind, 'batch');
});

test.each(ENCODINGS)(
  'a compressed batch of format 1 in %s reads as its dump says',
  async (name) => {
    const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, `batch-1-${name}.cbor`)));
    const id = splitBatch(bytes)?.id;
    assert.ok(id);
    const expected = { id, site: SITE, hub: HUB_ID, publicKey: HUB.publicKey };
    const outcome = await openBatch(bytes, expected, OPENING);
    assert.ok(outcome.kind === 'batch');
    const { leaves, ...told } = outcome;
    assert.equal(leaves.length, outcome.entries.length);
    assert.deepEqual(readable({ id, ...told }), JSON.parse(golden(`batch-1-${name}.json`)));
    assert.equal(outcome.manifest.encoding, name);
  },
);

test('messages of format 1 read as their dump says', () => {
  const lines = JSON.parse(golden('batch-1-messages.json')) as Record<
    string,
    { hex: string; says: unknown }
  >;
  const parsers: Record<string, (bytes: Uint8Array) => unknown> = {
    chunk: (bytes) => parseChunk(bytes),
    hello: (bytes) => parseHello(bytes, verifyEd25519),
    downHello: (bytes) => parseDownHello(bytes, verifyEd25519),
    have: (bytes) => {
      const have = parseHave(bytes, REGION.publicKey, verifyEd25519);
      return have && { ...have, chunks: have.chunks.toBytes(), total: have.chunks.total };
    },
    stored: (bytes) => parseReceipt(bytes, REGION.publicKey, verifyEd25519),
    refused: (bytes) => parseReceipt(bytes, REGION.publicKey, verifyEd25519),
  };
  assert.deepEqual(Object.keys(lines).toSorted(), Object.keys(parsers).toSorted());
  for (const [kind, { hex, says }] of Object.entries(lines)) {
    assert.deepEqual(readable(parsers[kind]?.(fromHex(hex))), says, kind);
  }
});
