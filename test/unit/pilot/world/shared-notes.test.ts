import assert from 'node:assert/strict';
import { test } from 'vitest';
import * as Y from 'yjs';

import { SharedNotes } from '../../../../src/pilot/world/shared-notes.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

test('Yjs reads what phones write together, in any order', () => {
  const notes = new SharedNotes(new SeededRandom(4));
  const edits = Array.from({ length: 60 }, (_, index) =>
    notes.write(1_001 + (index % 5), `line ${index}. `),
  );
  const textsOf = (inOrder: typeof edits): string[] => {
    const docs = new Map<string, Y.Doc>();
    for (const { key, update } of inOrder) {
      const doc = docs.get(key) ?? new Y.Doc();
      docs.set(key, doc);
      Y.applyUpdate(doc, update);
    }
    return [...docs]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, doc]) => doc.getText('notes').toJSON());
  };
  const texts = textsOf(edits);
  assert.equal(texts.length, 8);
  for (let index = 0; index < 60; index++) assert.ok(texts.join('').includes(`line ${index}. `));
  assert.deepEqual(textsOf(edits.toReversed()), texts);
});
