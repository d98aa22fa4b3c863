import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'vitest';

import { readingOfBlock } from '../../../../src/power/sources/ve-direct.ts';
import {
  type VeDirectBlock,
  VeDirectParser,
} from '../../../../src/power/sources/ve-direct-parser.ts';

/** Where the reference data lie: beside the work tree, or where the environment says. */
const REFERENCE =
  process.env['HELIOGRAPH_REFERENCE_DATA'] ??
  fileURLToPath(new URL('../../../../shared/data', import.meta.url));
const CAPTURE = `${REFERENCE}/vedirect/bluesolar-75-15-fw1.23.dump`;

/** The worked frame of a charger in bulk, as the protocol paper's checksum rule gives it. */
const WORKED =
  '\r\nPID\t0xA053\r\nV\t13120\r\nI\t2150\r\nVPV\t34250\r\nPPV\t29\r\nCS\t3\r\nERR\t0' +
  '\r\nH19\t2502\r\nH20\t6\r\nH21\t53\r\nHSDS\t351\r\nChecksum\t\x1b';

function blocksOf(...chunks: (string | Uint8Array)[]): VeDirectBlock[] {
  const blocks: VeDirectBlock[] = [];
  const parser = new VeDirectParser((block) => blocks.push(block));
  for (const chunk of chunks) {
    parser.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
  }
  return blocks;
}

function blockOf(fields: Record<string, string>): string {
  const body = Object.entries(fields).map(([label, value]) => `\r\n${label}\t${value}`);
  const text = `${body.join('')}\r\nChecksum\t`;
  const sum = Buffer.from(text, 'latin1').reduce((total, byte) => total + byte, 0);
  return text + String.fromCharCode((256 - (sum % 256)) % 256);
}

test('the worked frame is one block, and its reading is in SI units', () => {
  const [block] = blocksOf(WORKED);
  assert.equal(block?.get('V'), '13120');
  assert.deepEqual(readingOfBlock(block, 5), {
    atMs: 5,
    quality: 'good',
    batteryVolts: 13.12,
    batteryAmps: 2.15,
    pvWatts: 29,
    chargeStage: 'bulk',
  });
});

test('byte by byte gives the same as whole', () => {
  const bytes = Buffer.from(WORKED + WORKED, 'latin1');
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.equal(blocksOf(...single).length, 2);
});

/** A block whose checksum byte is the one asked for: filler letters move the sum to where it must be. */
function blockEndingIn(byte: number): string {
  for (let first = 0x41; first <= 0x7a; first++) {
    for (let second = 0x41; second <= 0x7a; second++) {
      const filler = String.fromCharCode(first, second, second, second, second);
      const text = blockOf({ V: '13000', FW: filler });
      if (text.charCodeAt(text.length - 1) === byte) return text;
    }
  }
  throw new Error(`no filler gives ${byte}`);
}

test('every value of the checksum byte is taken as one: also colon, CR, LF and TAB', () => {
  for (let byte = 0; byte < 256; byte++) {
    const text = blockEndingIn(byte);
    assert.equal(blocksOf(text + text + WORKED).length, 3, `checksum byte ${byte}`);
  }
});

test('HEX frames between blocks, after the checksum byte and inside a value are no part of the sum', () => {
  const frame = ':A5010000000000ED04C6040172\n';
  const inside = WORKED.replace('13120', `13${frame}120`);
  const blocks = blocksOf(
    frame,
    WORKED,
    frame,
    inside,
    ':7F0ED0071\xfe',
    WORKED,
    `${frame}\xfe`,
    WORKED,
  );
  assert.deepEqual(
    blocks.map((block) => block.get('V')),
    ['13120', '13120', '13120', '13120'],
  );
});

test('a HEX frame that is cut by text costs nothing but itself', () => {
  assert.equal(blocksOf(':A501', WORKED, WORKED).length, 2);
});

test('a cut first block and a flipped byte are dropped, the next block is good', () => {
  const flipped = WORKED.replace('13120', '13121');
  const blocks = blocksOf(WORKED.slice(17), flipped, WORKED);
  assert.equal(blocks.length, 1);
});

test('endless noise holds no memory and the line recovers', () => {
  const blocks: VeDirectBlock[] = [];
  const parser = new VeDirectParser((block) => blocks.push(block));
  parser.push(new Uint8Array(1 << 20).fill(0x41));
  parser.push(Buffer.from(`\r\n${'x'.repeat(5_000)}\t${'y'.repeat(5_000)}`));
  for (let i = 0; i < 200; i++) parser.push(Buffer.from(`\r\nL${i}\t1`));
  parser.push(Buffer.from(WORKED + WORKED, 'latin1'));
  assert.equal(blocks.length, 1, 'the noise ends with the block that it began in');
});

test('a battery monitor: charge, power, temperature, and absent values stay absent', () => {
  const text = blockOf({ V: '26201', I: '-1500', P: '-39', SOC: '876', T: '---', TTG: '-1' });
  const [block] = blocksOf(text);
  assert.deepEqual(readingOfBlock(block as VeDirectBlock, 0), {
    atMs: 0,
    quality: 'good',
    batteryVolts: 26.201,
    batteryAmps: -1.5,
    batteryWatts: -39,
    socRatio: 0.876,
  });
});

test('limited by the charger in absorption or float means curtailed; in bulk it does not', () => {
  const curtailed = (CS: string, MPPT: string): boolean | undefined => {
    const [block] = blocksOf(blockOf({ V: '14200', CS, MPPT }));
    return readingOfBlock(block as VeDirectBlock, 0).curtailed;
  };
  assert.deepEqual(
    [curtailed('4', '1'), curtailed('5', '1'), curtailed('3', '1'), curtailed('5', '2')],
    [true, true, false, false],
  );
});

test.skipIf(!existsSync(CAPTURE))(
  'a real capture has 247 good blocks (skipped where the reference data are absent)',
  () => {
    const blocks: VeDirectBlock[] = [];
    const parser = new VeDirectParser((block) => blocks.push(block));
    parser.push(readFileSync(CAPTURE));
    assert.equal(blocks.length, 247);
    assert.deepEqual(parser.stat, { blocksGood: 247, blocksBad: 1, frames: 7 });
    for (const block of blocks) assert.match(block.get('V') ?? '', /^1[0-9]{4}$/);
  },
);
