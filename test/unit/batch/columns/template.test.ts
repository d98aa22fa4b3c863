/** Cutting bodies into templates: what becomes a slot, what stays, what is left alone. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { textOf, utf8 } from '../../../../src/base/bytes.ts';
import {
  CUT_BYTES_MAX,
  Cutter,
  piecesOf,
  SLOTS_MAX,
} from '../../../../src/batch/columns/template.ts';

/** The template with `_` for its slots, and the texts in them. */
function cut(text: string): { template: string; texts: string[] } | undefined {
  const cutter = new Cutter();
  const body = utf8(text);
  const skeleton = cutter.cut(body);
  if (skeleton === undefined) return undefined;
  return {
    template: textOf(skeleton)?.replaceAll('\u0000', '_') ?? '',
    texts: textsOf(cutter, body),
  };
}

function textsOf(cutter: Cutter, body: Uint8Array): string[] {
  return Array.from({ length: cutter.slots }, (_, i) =>
    String(textOf(body.subarray(cutter.bounds[2 * i], cutter.bounds[2 * i + 1]))),
  );
}

test('numbers and texts are slots; keys, words and spaces are the template', () => {
  assert.deepEqual(cut('{"u":230.1, "ok":"yes", "on":true, "a":[1,-2e5]}'), {
    template: '{"u":_, "ok":"_", "on":true, "a":[_,_]}',
    texts: ['230.1', 'yes', '1', '-2e5'],
  });
});

test('a key may stand apart from its colon, and texts may hold escaped quotes', () => {
  assert.deepEqual(cut('{"k1" : "a\\"b\\\\"}'), { template: '{"k1" : "_"}', texts: ['a\\"b\\\\'] });
});

test('a body of one number, or of one word, is a template too', () => {
  assert.deepEqual(cut('21.5'), { template: '_', texts: ['21.5'] });
  assert.deepEqual(cut('ON'), { template: 'ON', texts: [] });
  assert.deepEqual(cut(''), { template: '', texts: [] });
});

test('what is no text, is too long or has too many slots is not cut', () => {
  assert.equal(cut('a\u0000b'), undefined);
  assert.equal(cut('"key\\\u0000":1'), undefined);
  assert.equal(cut('x'.repeat(CUT_BYTES_MAX + 1)), undefined);
  assert.equal(cut('x'.repeat(CUT_BYTES_MAX))?.template.length, CUT_BYTES_MAX);
  assert.equal(cut('1,'.repeat(SLOTS_MAX))?.texts.length, SLOTS_MAX);
  assert.equal(cut('1,'.repeat(SLOTS_MAX + 1)), undefined);
});

test('a body like the one before is cut by its template, any other is not', () => {
  const cutter = new Cutter();
  const template = { id: 0, pieces: piecesOf(utf8('{"u":\u0000,"s":"\u0000"}')) };
  const body = utf8('{"u":-7.25,"s":"x\\"y"}');
  assert.ok(cutter.cutLike(template, body));
  assert.deepEqual(textsOf(cutter, body), ['-7.25', 'x\\"y']);
  for (const other of [
    '{"u":1,"s":"x"} ',
    '{"u":null,"s":"x"}',
    '{"v":1,"s":"x"}',
    '{"u":1,"s":"x',
    '',
  ]) {
    assert.ok(!cutter.cutLike(template, utf8(other)), other);
  }
});
