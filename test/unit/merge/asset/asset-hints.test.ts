/** Hints of a version as people write them: read as they are meant, or refused in words. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { opIdOfText } from '../../../../src/merge/op-id.ts';
import { type HintTexts, versionWith } from '../../../../src/merge/asset/asset-hints.ts';

const CONTENT = { sha256: new Uint8Array(32).fill(1), size: 10, type: 'image/jpeg' };
const UNSAID: HintTexts = { base: null, note: null, tags: null, region: null };
const OP = 'aaaaaaaaaaaaaaaa/2/7';

function made(hints: Partial<HintTexts>): ReturnType<typeof versionWith> {
  return versionWith(CONTENT, { ...UNSAID, ...hints });
}

test('what is not said is not there, what is said empty is empty', () => {
  assert.deepEqual(made({}), CONTENT);
  assert.deepEqual(made({ base: '' }), { ...CONTENT, base: [] });
});

test('lists are separated by commas, with or without blanks', () => {
  const said = { base: `${OP}, ${OP}`, note: 'a crack', tags: 'roof, east', region: '1,2, 30,40' };
  assert.deepEqual(made(said), {
    ...CONTENT,
    base: [opIdOfText(OP), opIdOfText(OP)],
    note: 'a crack',
    tags: ['roof', 'east'],
    region: [1, 2, 30, 40],
  });
});

test.each([
  [{ base: `${OP},pump` }, /^base names ops/],
  [{ region: '1,2,3' }, /^region is x,y,width,height/],
  [{ region: '1,2,3,4,5' }, /^region is/],
  [{ region: '' }, /^region is/],
  [{ region: '1,2,3,-4' }, /^region is/],
  [{ region: '1,2,3,0x10' }, /^region is/],
  [{ note: 'x'.repeat(3_000) }, /^a hint is too long/],
  [{ tags: Array(17).fill('t').join(',') }, /^a hint is too long, empty, or there are too many/],
] as const)('%j is refused', (hints, words) => {
  const refused = made(hints);
  assert.ok(typeof refused === 'string');
  assert.match(refused, words);
});
