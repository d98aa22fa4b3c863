/** What a person types becomes the smallest change, and their caret stays where it was. */
import assert from 'node:assert/strict';

import fc from 'fast-check';
import { describe, it } from 'vitest';
import * as Y from 'yjs';

import { changeBetween, movedBy } from '../../../src/notebook/text-change.ts';

const anyText = fc.string({ unit: fc.constantFrom('a', 'b', 'ß', '😀', '😁'), maxLength: 12 });

/** Half a character cannot be written down. */
function isWellFormed(text: string): boolean {
  return Buffer.from(text).toString() === text;
}

describe('what was typed', () => {
  it('leads from the text before to the text after, never between the halves of a character', () => {
    fc.assert(
      fc.property(anyText, anyText, (before, after) => {
        const { start, removed, inserted } = changeBetween(before, after);
        const made = before.slice(0, start) + inserted + before.slice(start + removed);
        assert.equal(made, after);
        assert.ok(isWellFormed(inserted));
        assert.ok(isWellFormed(before.slice(start, start + removed)));
      }),
    );
  });
});

it('takes a character whole whose second half stays', () => {
  const change = changeBetween('a\u{1F600}', 'a\u{1FA00}');
  assert.deepEqual(change, { start: 1, removed: 2, inserted: '\u{1FA00}' });
});

describe('a caret', () => {
  it('stays before the character that it stood before', () => {
    const doc = new Y.Doc();
    const text = doc.getText('t');
    text.insert(0, 'pump leaks');
    const moves: number[] = [];
    text.observe(({ delta }) => moves.push(movedBy(delta, 5), movedBy(delta, 0)));
    text.insert(0, 'the ');
    text.delete(0, 4);
    text.insert(10, '!');
    text.delete(3, 4);
    assert.deepEqual(moves, [9, 4, 1, 0, 5, 0, 3, 0]);
  });
});
