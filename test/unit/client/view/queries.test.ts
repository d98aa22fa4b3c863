/** Who watches what: many may, one that breaks harms nobody, and one that has gone hears nothing. */
import assert from 'node:assert/strict';

import { beforeEach, describe, it } from 'vitest';

import type { Timers } from '../../../../src/base/clock.ts';
import { Outbox } from '../../../../src/client/outbox/outbox.ts';
import { Listeners } from '../../../../src/client/view/listeners.ts';
import { Queries } from '../../../../src/client/view/queries.ts';
import { Replica } from '../../../../src/client/view/replica.ts';
import { View } from '../../../../src/client/view/view.ts';
import { encodePatch } from '../../../../src/merge/patch.ts';
import { RECORD } from '../../../../src/model/class.ts';
import { EVENT, PATCH } from '../../../../src/model/op.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { MemoryStorage } from '../../../support/memory/memory-storage.ts';

let clock: SimClock;
let outbox: Outbox;
let queries: Queries;
let thrown: unknown[];

beforeEach(async () => {
  clock = new SimClock(1_800_000_000_000);
  thrown = [];
  const timers: Timers = {
    after: (ms, call) => clock.after(ms, call),
    every: (ms, call) => clock.every(ms, call),
    soon: (call) =>
      clock.soon(() => {
        try {
          call();
        } catch (error) {
          thrown.push(error);
        }
      }),
  };
  const view = new View({
    replica: new Replica(),
    ownByKey: () => outbox.opsByKey,
    authority: () => 1,
  });
  queries = new Queries(view, timers);
  const onChange = (key: string): void => {
    view.ownChanged(key);
    queries.changed([key]);
  };
  const random = new SeededRandom(1);
  const parts = { storage: new MemoryStorage(), clock, random, comesBack: () => true };
  outbox = await Outbox.open({ ...parts, onChange });
});

function set(key: string, value: number): void {
  outbox.add({ class: RECORD, kind: PATCH, key, body: encodePatch({ n: value }) });
}

describe('watchers', () => {
  it('hear of their keys, of new ones too, and of no others', async () => {
    const heard: string[] = [];
    for (const prefix of ['order/', 'order/2', 'note/']) {
      queries.observe({ prefix }, (rows) =>
        heard.push(`${prefix} ${rows.map(({ key }) => key).join()}`),
      );
    }
    heard.length = 0;
    set('order/1', 1);
    outbox.add({ class: RECORD, kind: EVENT, key: 'note/no record', body: new Uint8Array(0) });
    await clock.advance(1);
    set('order/2', 1);
    await clock.advance(1);
    assert.deepEqual(heard.toSorted(), [
      'note/ ',
      'order/ order/1',
      'order/ order/1,order/2',
      'order/2 order/2',
    ]);
    assert.equal(
      queries.row('order/1'),
      queries.run({ prefix: 'order/1' })[0],
      'what has not changed is the same',
    );
  });

  it('that throw are told apart from the rest, which hears all the same', async () => {
    let heard = 0;
    let isBroken = false;
    queries.observe({}, () => {
      if (isBroken) throw new Error('a watcher');
    });
    queries.observe({}, () => (heard += 1));
    isBroken = true;
    set('order/1', 1);
    await clock.advance(1);
    assert.deepEqual([heard, thrown.length], [2, 1]);
  });

  it('that have let go hear nothing more, not even of what is on its way', async () => {
    let heard = 0;
    const stops: (() => void)[] = [];
    queries.observe({}, () => stops[0]?.());
    stops.push(queries.observe({}, () => (heard += 1)));
    set('order/1', 1);
    await clock.advance(1);
    assert.equal(heard, 1, 'at the beginning');
  });

  it('of a status are told in turn, whatever one of them does', () => {
    const timers = { soon: (call: () => void) => (thrown.push(call), () => undefined) };
    const listeners = new Listeners<number>(timers);
    const heard: number[] = [];
    const stop = listeners.add((value) => heard.push(value));
    listeners.add(() => {
      throw new Error('a watcher');
    });
    listeners.add((value) => heard.push(value));
    listeners.tell(1);
    stop();
    listeners.tell(2);
    assert.deepEqual(heard, [1, 1, 2]);
    assert.equal(thrown.length, 2);
  });

  it('by the thousand are called where something has changed for them', async () => {
    for (let n = 0; n < 2_000; n++) set(`order/${n}`, n);
    await clock.advance(1);
    let heard = 0;
    for (let n = 0; n < 2_000; n++) queries.observe({ prefix: `order/${n}` }, () => (heard += 1));
    heard = 0;
    set('order/1500', 1);
    await clock.advance(1);
    assert.equal(heard, 4, 'order/1, order/15, order/150, order/1500');
  });
});
