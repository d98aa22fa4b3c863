/** Texts at hand are those that the bytes say, whatever came before. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';

import { textOf, utf8 } from '../../../src/base/bytes.ts';
import { knownText } from '../../../src/codec/known-texts.ts';

const textIn = (bytes: Uint8Array, from = 0, to = bytes.length): string | undefined =>
  knownText(bytes, from, to, () => textOf(bytes.subarray(from, to)));

describe('known texts', () => {
  test('are the decoded ones, again and again', () => {
    const texts = fc.array(
      fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', 'b', 'aa')),
    );
    fc.assert(
      fc.property(texts, (list) => {
        for (const text of [...list, ...list]) {
          const bytes = utf8(`>${text}<`);
          assert.equal(textIn(bytes, 1, bytes.length - 1), textOf(utf8(text)));
        }
      }),
    );
  });

  test('are made once, and not kept where the bytes are no text', () => {
    let made = 0;
    const bytes = utf8('meters/only-here');
    const make = (): string => {
      made += 1;
      return 'meters/only-here';
    };
    for (let i = 0; i < 3; i++) knownText(bytes, 0, bytes.length, make);
    assert.equal(made, 1);
    const bad = Uint8Array.of(0xff, 0xfe);
    assert.equal(textIn(bad), undefined);
    assert.equal(textIn(bad), undefined);
  });
});
