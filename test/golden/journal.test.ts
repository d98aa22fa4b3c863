/**
 * Journals of every format we ever wrote open and read back. The files are never edited; a change of bytes adds a folder.
 * FORMAT.md's worked example and tables are checked against the code here, too.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Decoder } from 'cbor-x';
import { describe, test } from 'vitest';

import { bytesOfHex, hexOf } from '../../src/base/bytes.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import { decodeCbor } from '../../src/codec/reader.ts';
import {
  BLOCK_HEAD_BYTES,
  encodeSegmentStart,
  finishBlock,
  putEntry,
} from '../../src/journal/format.ts';
import { dumpJournal, verifyJournal } from '../../src/journal/recovery/inspect.ts';
import { Journal } from '../../src/journal/journal.ts';
import { unpack } from '../../src/journal/payload.ts';
import {
  FILE_ROWS,
  LINK_ROWS,
  type Row,
  SEAM_ROWS,
  TAIL_ROWS,
} from '../../src/journal/recovery/recovery.ts';
import { PLAIN_SEALER, type Sealer } from '../../src/journal/sealer.ts';
import { EpochKeys } from '../../src/keys/epochs.ts';
import { JournalSealer } from '../../src/keys/journal-sealer.ts';
import { escrowOpener, kekOf } from '../../src/keys/key-encryption.ts';
import { privateKeyOf, sealGcm } from '../../src/keys/wrapping.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { SimFiles } from '../../src/platform/sim/files.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';

const DIR = '/journal';
const KEYS_DIR = '/keys/epochs';
const GOLDEN = import.meta.dirname;
const FORMAT = readFileSync(join(GOLDEN, '../../src/journal/FORMAT.md'), 'utf8');

/** A golden file as it was on the disk. Files are kept without the zeros at their end; `sizes.json` has the rest. */
function putGolden(files: SimFiles, folder: string, name: string, sizeBytes: number): void {
  const dir = name.endsWith('.key') ? KEYS_DIR : DIR;
  files.makeDir(dir);
  const file = files.open(`${dir}/${name}`, 'create');
  file.writeAt(readFileSync(join(GOLDEN, folder, `${name}.bin`)), 0);
  file.truncate(sizeBytes);
  file.datasyncNow();
  files.syncDir(dir);
}

/** The folder's files on a simulated disk. */
function load(folder: string): SimFiles {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const sizes = JSON.parse(readFileSync(join(GOLDEN, folder, 'sizes.json'), 'utf8')) as Record<
    string,
    number
  >;
  for (const [name, sizeBytes] of Object.entries(sizes)) putGolden(files, folder, name, sizeBytes);
  return files;
}

/** With the hub's key, or with the operator's alone; plain where the folder has no keys. */
function sealerFor(folder: string, files: SimFiles, who: 'kek' | 'operator'): Sealer {
  const path = join(GOLDEN, folder, 'keys.json');
  if (!existsSync(path)) return PLAIN_SEALER;
  const secrets = JSON.parse(readFileSync(path, 'utf8')) as Record<typeof who, string>;
  const secret = bytesOfHex(secrets[who]) ?? new Uint8Array(0);
  const kek = kekOf(secret);
  const opener = who === 'kek' ? kek : escrowOpener(privateKeyOf(secret));
  const keys = new EpochKeys({ files, dir: KEYS_DIR, log: SILENT_LOG, openers: [opener] });
  const random = new SeededRandom(3);
  return new JournalSealer({ keys, clock: new SimClock(0), kek, random, escrowKey: undefined });
}

describe.each(readdirSync(GOLDEN).filter((name) => name.startsWith('journal-v')))(
  '%s',
  (folder) => {
    const dump = JSON.parse(readFileSync(join(GOLDEN, folder, 'dump.json'), 'utf8')) as Record<
      string,
      unknown
    >;

    test.each(['kek', 'operator'] as const)('reads back as the dump beside it says: %s', (who) => {
      const files = load(folder);
      const sealer = sealerFor(folder, files, who);
      const report = verifyJournal(files, DIR, sealer);
      assert.deepEqual([report.damages, report.sealsUnchecked], [[], 0]);
      const entries = [...dumpJournal(files, DIR, sealer)].map((item) =>
        item.kind === 'entry' ? [item.lsn, decodeCbor(item.entry)] : item,
      );
      assert.deepEqual(Object.fromEntries(entries as [number, unknown][]), dump);
    });

    test('opens, and goes on behind its last entry', async () => {
      const files = load(folder);
      const clock = new SimClock(0);
      const random = new SeededRandom(2);
      const limits = { segmentBytes: 16 * 1024, totalBytesMax: 1 << 20, freeBytesMin: 0 };
      const sealer = sealerFor(folder, files, 'kek');
      const options = { files, dir: DIR, clock, timers: clock, log: SILENT_LOG, random, sealer };
      const journal = await Journal.open({ ...options, ...limits });
      const count = Object.keys(dump).length;
      assert.equal(journal.durableLsn, count);
      assert.equal(journal.append(Uint8Array.of(0xa0), 0), count + 1);
      await clock.advance(5);
      assert.equal(journal.durableLsn, count + 1);
    });

    test('every file is a CBOR sequence for a decoder that we did not write', () => {
      const files = load(folder);
      for (const name of files.list(DIR)) {
        const items: unknown[] = [];
        new Decoder({ mapsAsObjects: false }).decodeMultiple(
          files.read(`${DIR}/${name}`) as Uint8Array,
          (item) => {
            items.push(item);
          },
        );
        assert.equal((items[0] as unknown[])[0], 'heliograph journal');
        assert.deepEqual(items[0], items[1], 'the header stands twice');
      }
    });
  },
);

/** Hex bytes of the code block under a heading, `..` and comments left out. */
function hexUnder(heading: string): string {
  const block = FORMAT.slice(FORMAT.indexOf(heading)).split('```')[1] as string;
  return block
    .split('\n')
    .slice(1)
    .map((line) => (line.split(';')[0] as string).replaceAll(/\s/g, ''))
    .join('');
}

test("FORMAT.md's worked header and block are what the code writes", () => {
  const fields = {
    segment: 1,
    previous: 0,
    baseLsn: 1,
    epoch: 0,
    journalId: bytesOfHex('0102030405060708') as Uint8Array,
    salt: bytesOfHex('1112131415161718') as Uint8Array,
    keyring: new Uint8Array(0),
  };
  const { bytes, header } = encodeSegmentStart(fields, 16_384);
  assert.equal(hexOf(bytes.subarray(0, 90)), hexUnder('### Header, worked'));
  const block = new Uint8Array(100);
  const at = putEntry(block, BLOCK_HEAD_BYTES, Uint8Array.of(0xa0));
  const end = putEntry(block, at, Uint8Array.of(0x82, 0x01, 0x02));
  const head = { tag: header.crc, firstLsn: 1, count: 2, payloadBytes: end - BLOCK_HEAD_BYTES };
  const length = finishBlock(block, head, 8192, 16_384);
  assert.equal(hexOf(block.subarray(0, length)), hexUnder('### Block, worked'));
});

test("FORMAT.md's worked packed payload gives its entries", () => {
  const packed = bytesOfHex(hexUnder('### Packed payload, worked')) as Uint8Array;
  assert.equal(hexOf(unpack(packed)), '43820102'.repeat(6));
});

test("FORMAT.md's worked seal is what AES-256-GCM says", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index);
  const nonce = bytesOfHex('000000000000000000000001') as Uint8Array;
  const place = bytesOfHex('00000000000000010000000000000001') as Uint8Array;
  const plain = bytesOfHex('41a043820102') as Uint8Array;
  const sealed = sealGcm(key, nonce, place, plain);
  assert.equal(`0000000000000001${hexOf(sealed)}`, hexUnder('### Seal, worked'));
});

/** The rows of the table under a heading of FORMAT.md. */
function tableUnder(heading: string): string[][] {
  const lines = FORMAT.slice(FORMAT.indexOf(heading)).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rest = lines.slice(first);
  const rows = rest.slice(
    2,
    rest.findIndex((line) => !line.startsWith('|')),
  );
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function asTable<E extends object>(
  rows: readonly Row<E, string>[],
  fields: readonly (keyof E & string)[],
): string[][] {
  return rows.map(({ when, action, why }) => {
    const values = new Map<string, readonly unknown[]>(Object.entries(when));
    return [...fields.map((field) => values.get(field)?.join(', ') ?? 'any'), action, why];
  });
}

test("FORMAT.md's recovery tables are the code's", () => {
  assert.deepEqual(tableUnder('### Files'), asTable(FILE_ROWS, ['name', 'header']));
  assert.deepEqual(tableUnder('### Links'), asTable(LINK_ROWS, ['older']));
  assert.deepEqual(tableUnder('### Seams'), asTable(SEAM_ROWS, ['later', 'same', 'here']));
  assert.deepEqual(tableUnder('### Tail'), asTable(TAIL_ROWS, ['size', 'ended']));
});
