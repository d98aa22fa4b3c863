/** What is typed into a document becomes ops, also where there is no room for a while, and is told where it never can. */
import assert from 'node:assert/strict';

import { describe, it } from 'vitest';
import * as Y from 'yjs';

import { HubError } from '../../../../src/base/errors.ts';
import { Docs } from '../../../../src/client/view/docs.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';

class Place {
  readonly clock = new SimClock(1_800_000_000_000);
  readonly made: Uint8Array[] = [];
  readonly troubles: string[] = [];
  /** Thrown by what makes ops. */
  failure: HubError | undefined;
  /** How ops that are made end. */
  rejection: HubError | undefined;
  readonly docs = new Docs({
    make: (_key, update) => {
      if (this.failure !== undefined) throw this.failure;
      if (this.rejection !== undefined) return Promise.reject(this.rejection);
      this.made.push(update);
      return Promise.resolve();
    },
    updatesOf: () => this.made,
    onTrouble: ({ code }) => this.troubles.push(code),
    timers: this.clock,
  });

  text(): string {
    const doc = new Y.Doc();
    for (const update of this.made) Y.applyUpdate(doc, update);
    return doc.getText('t').toJSON();
  }
}

describe('a document', () => {
  it('makes one op of what is typed within a moment', async () => {
    const place = new Place();
    const text = place.docs.open('note', Y).getText('t');
    for (const letter of 'pump') text.insert(text.length, letter);
    await place.clock.advance(1_000);
    assert.deepEqual([place.made.length, place.text()], [1, 'pump']);
  });

  it('hands in later what found no room, in the outbox or on the disk', async () => {
    const place = new Place();
    const text = place.docs.open('note', Y).getText('t');
    place.failure = new HubError('client.outbox-full', 'for a test');
    text.insert(0, 'pump');
    await place.clock.advance(1_000);
    text.insert(4, ' 3');
    await place.clock.advance(1_000);
    place.failure = undefined;
    place.rejection = new HubError('client.storage-full', 'for a test');
    await place.clock.advance(6_000);
    place.rejection = undefined;
    await place.clock.advance(6_000);
    assert.equal(place.text(), 'pump 3');
    assert.deepEqual(
      new Set(place.troubles),
      new Set(['client.outbox-full', 'client.storage-full']),
    );
  });

  it('that the program has let go of keeps what was typed, and is another one when it is asked for again', async () => {
    const place = new Place();
    const first = place.docs.open('note', Y);
    first.getText('t').insert(0, 'pump');
    first.destroy();
    assert.equal(place.text(), 'pump');
    const again = place.docs.open('note', Y);
    assert.equal(again.getText('t').toJSON(), 'pump');
    again.getText('t').insert(4, ' 3');
    await place.clock.advance(1_000);
    assert.equal(place.text(), 'pump 3');
  });

  it('tells what it can never hand in, and goes on', async () => {
    const place = new Place();
    const text = place.docs.open('note', Y).getText('t');
    place.failure = new HubError('client.unfit', 'for a test');
    text.insert(0, 'x');
    await place.clock.advance(60_000);
    assert.deepEqual(place.troubles, ['client.unfit']);
    place.failure = new HubError('client.closed', 'for a test');
    text.insert(0, 'y');
    await place.clock.advance(60_000);
    assert.deepEqual([place.troubles.length, place.made.length], [1, 0]);
  });

  it.each(['client.refused', 'client.unfit'] as const)(
    'hands in what was refused (%s) with what is typed next: that builds on it',
    async (code) => {
      const place = new Place();
      const text = place.docs.open('note', Y).getText('t');
      text.insert(0, 'pump');
      await place.clock.advance(1_000);
      if (code === 'client.unfit') place.failure = new HubError(code, 'too large at once');
      else place.rejection = new HubError(code, 'the document is full');
      text.insert(4, ' x'.repeat(1_000));
      await place.clock.advance(1_000);
      text.insert(0, 'the ');
      await place.clock.advance(1_000);
      assert.deepEqual(place.troubles, [code, code], 'told each time');
      assert.equal(place.text(), 'pump');
      place.failure = place.rejection = undefined;
      text.delete(8, 2_000);
      text.insert(8, ' 3');
      await place.clock.advance(1_000);
      assert.equal(place.text(), 'the pump 3');
      const last = place.made.at(-1) as Uint8Array;
      assert.ok(last.length < 200, `${last.length} bytes: not what was typed and deleted`);
      text.insert(10, '!');
      await place.clock.advance(1_000);
      assert.equal(place.text(), 'the pump 3!');
    },
  );
});
