/** Whatever comes over a wire or a topic, the parsers neither throw nor believe it by mistake. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { READING_FIELDS, type Reading } from '../../src/power/estimate/reading.ts';
import { readingOfJson } from '../../src/power/sources/mqtt-json.ts';
import { parseSource } from '../../src/power/sources/source-spec.ts';
import { readingOfBlock } from '../../src/power/sources/ve-direct.ts';
import { type VeDirectBlock, VeDirectParser } from '../../src/power/sources/ve-direct-parser.ts';
import { readingOfValues } from '../../src/power/sources/venus-mqtt.ts';

const anyLabel = fc.constantFrom(
  'V',
  'I',
  'VPV',
  'PPV',
  'P',
  'SOC',
  'CS',
  'MPPT',
  'IL',
  'T',
  'H19',
  'FW',
);
const anyValue = fc.oneof(
  fc.integer({ min: -99_999, max: 99_999 }).map(String),
  fc.constantFrom('---', 'ON', '0xA053', '-1'),
);
const anyFields = fc.uniqueArray(fc.tuple(anyLabel, anyValue), {
  minLength: 1,
  maxLength: 10,
  selector: ([label]) => label,
});

function bytesOf(fields: readonly (readonly [string, string])[]): number[] {
  const text = `${fields.map(([label, value]) => `\r\n${label}\t${value}`).join('')}\r\nChecksum\t`;
  const bytes = [...Buffer.from(text, 'latin1')];
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  return [...bytes, (256 - (sum % 256)) % 256];
}

/** A HEX frame with a line feed at its end, or without one. */
const anyFrame = fc
  .tuple(
    fc.string({
      unit: fc.constantFrom(...'0123456789ABCDEF'.split('')),
      minLength: 1,
      maxLength: 60,
    }),
    fc.boolean(),
  )
  .map(([nibbles, whole]) => [...Buffer.from(`:${nibbles}`), whole ? 0x0a : 0xfe]);

function parse(bytes: readonly number[], cuts: readonly number[]): VeDirectBlock[] {
  const blocks: VeDirectBlock[] = [];
  const parser = new VeDirectParser((block) => blocks.push(block));
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  let start = 0;
  for (const end of ends) {
    parser.push(Uint8Array.from(bytes.slice(start, end)));
    start = end;
  }
  return blocks;
}

function isSound(reading: Reading): void {
  for (const field of READING_FIELDS) {
    const value = reading[field];
    assert.ok(typeof value !== 'number' || Number.isFinite(value), `${field} is ${String(value)}`);
    assert.ok(value !== undefined || !(field in reading));
  }
}

test('blocks with HEX frames at any place, cut in any chunks, all come out whole', () => {
  const anyBlock = fc.tuple(anyFields, fc.option(fc.tuple(fc.nat(), anyFrame), { nil: undefined }));
  fc.assert(
    fc.property(
      fc.array(anyBlock, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (parts, cuts) => {
        const bytes = parts.flatMap(([fields, frame]) => {
          const block = bytesOf(fields);
          if (frame === undefined) return block;
          // Anywhere before the checksum byte, or right after it.
          const at = frame[0] % block.length;
          const place = at === block.length - 1 ? block.length : at;
          return [...block.slice(0, place), ...frame[1], ...block.slice(place)];
        });
        const blocks = parse(bytes, cuts);
        assert.deepEqual(
          blocks.map((block) => [...block]),
          parts.map(([fields]) => fields),
        );
        for (const block of blocks) isSound(readingOfBlock(block, 0));
      },
    ),
  );
});

test('noise before a line never costs more than the block that it runs into', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), anyFields, (noise, fields) => {
      const block = bytesOf(fields);
      const blocks = parse([...noise, ...block, ...block, ...block], []);
      assert.deepEqual([...(blocks.at(-1) as VeDirectBlock)], fields);
    }),
  );
});

test('one flipped bit in a block is always noticed', () => {
  fc.assert(
    fc.property(anyFields, fc.nat(), (fields, at) => {
      const block = bytesOf(fields);
      const bit = at % (block.length * 8);
      block[bit >> 3] = (block[bit >> 3] as number) ^ (1 << (bit & 7));
      for (const found of parse(block, [])) assert.notDeepEqual([...found], fields);
    }),
  );
});

test('JSON of any kind gives a sound reading or none', () => {
  fc.assert(
    fc.property(fc.json(), fc.string(), (text, path) => {
      const reading = readingOfJson(Buffer.from(text), { topic: 't', path }, 0);
      if (reading !== undefined) isSound(reading);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(
        readingOfJson(Uint8Array.of(0xff, ...bytes), { topic: 't', path: 'soc' }, 0),
        undefined,
      );
    }),
  );
});

test('values of a GX give a sound reading', () => {
  const anyKey = fc.constantFrom(
    'system/0/Dc/Battery/Soc',
    'system/0/Dc/Battery/Voltage',
    'system/0/Dc/Pv/Power',
    'solarcharger/1/State',
    'solarcharger/1/MppOperationMode',
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyKey, fc.double({ noNaN: true, noDefaultInfinity: true }))),
      (pairs) => {
        isSound(readingOfValues(new Map(pairs), 0));
      },
    ),
  );
});

test('the text of a source is understood or refused with its fault, never anything else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `mqtt:${text}`),
      ),
      (text) => {
        try {
          parseSource(text);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'power.source-invalid');
        }
      },
    ),
  );
});
