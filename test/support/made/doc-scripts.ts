/** Random work of a few people on one Yjs document, as the updates that their devices send. */
import * as Y from 'yjs';
import fc from 'fast-check';

interface DocStep {
  readonly writer: number;
  readonly what: 'type' | 'erase' | 'bold' | 'set' | 'push' | 'drop' | 'meet';
  readonly at: number;
  readonly value: number;
}

export interface DocScript {
  readonly updates: readonly Uint8Array[];
  readonly writers: readonly Y.Doc[];
}

const WRITERS = 3;
const TEXTS = ['a', 'hello ', '😀', 'ß', '漢字', '\n'];
const VALUES = [1, 'x', { a: [1, null, 2.5], b: undefined }, true, new Uint8Array([1, 2]), -7];

const anyDocStep: fc.Arbitrary<DocStep> = fc.record({
  writer: fc.nat({ max: WRITERS - 1 }),
  what: fc.constantFrom<DocStep['what'][]>(
    'type',
    'type',
    'type',
    'erase',
    'bold',
    'set',
    'push',
    'drop',
    'meet',
  ),
  at: fc.nat({ max: 1000 }),
  value: fc.nat({ max: 1000 }),
});

export const anyDocScript: fc.Arbitrary<DocScript> = fc
  .array(anyDocStep, { minLength: 1, maxLength: 60 })
  .map((steps) => play(steps));

/** An update each transaction, as an SDK sends them. */
export function play(steps: readonly DocStep[], firstClient = 1): DocScript {
  const updates: Uint8Array[] = [];
  const writers = Array.from({ length: WRITERS }, (_, index) => {
    const doc = new Y.Doc();
    doc.clientID = firstClient + index;
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'met') updates.push(update);
    });
    return doc;
  });
  for (const step of steps) act(writers, step);
  return { updates, writers };
}

function act(writers: readonly Y.Doc[], { writer, what, at, value }: DocStep): void {
  const doc = writers[writer] as Y.Doc;
  const text = doc.getText('notes');
  const list = doc.getArray('list');
  const map = doc.getMap('fields');
  const place = (length: number): number => at % (length + 1);
  if (what === 'type') text.insert(place(text.length), TEXTS[value % TEXTS.length] as string);
  else if (what === 'erase' && text.length > 0) {
    const from = at % text.length;
    text.delete(from, Math.min(text.length - from, 1 + (value % 4)));
  } else if (what === 'bold' && text.length > 1) {
    text.format(at % (text.length - 1), 1, { bold: value % 2 === 0 ? true : null });
  } else if (what === 'set') map.set(`k${at % 3}`, VALUES[value % VALUES.length]);
  else if (what === 'push') push(list, place(list.length), value);
  else if (what === 'drop' && list.length > 0) list.delete(at % list.length, 1);
  else if (what === 'meet') {
    const other = writers[(writer + 1 + (value % (WRITERS - 1))) % WRITERS] as Y.Doc;
    const lacking = Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc));
    Y.applyUpdate(doc, lacking, 'met');
  }
}

function push(list: Y.Array<unknown>, at: number, value: number): void {
  if (value % 3 !== 0) {
    list.insert(at, [value, 'two']);
    return;
  }
  const inner = new Y.Map();
  list.insert(at, [inner]);
  inner.set('z', value);
}

/** What the document says to whoever opens it. */
export function contentOf(updates: Iterable<Uint8Array>): unknown {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  const fields = Object.entries(doc.getMap('fields').toJSON());
  return {
    notes: doc.getText('notes').toDelta() as unknown,
    list: doc.getArray('list').toJSON(),
    fields: fields.toSorted(([a], [b]) => (a < b ? -1 : 1)),
  };
}
