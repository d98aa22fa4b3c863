/** What the hub lacks, over HTTP: who may close it, and what. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { holeDoorOf, lackingText } from '../../../../src/hub/sync/holes.ts';
import { HoleBook } from '../../../../src/ingest/door/hole-book.ts';
import { RECORD } from '../../../../src/model/class.ts';
import { laneOf } from '../../../../src/model/origin.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { createApi } from '../../../../src/status/api/api.ts';
import { DEVICE_A, DEVICE_B } from '../../../support/made/ops.ts';
import { NOON_MS, SampleSources } from '../../../support/made/status.ts';

let book: HoleBook;
/** Damage around which the journal has let go. */
let lostRanges: number[];
let isLooking: boolean;

beforeEach(() => {
  book = new HoleBook();
  lostRanges = [];
  isLooking = false;
  book.tell(laneOf(DEVICE_A, RECORD), 1, 50, NOON_MS, 'tablet');
  book.tell(laneOf(DEVICE_B, RECORD), 7, 7, NOON_MS);
});

function ask(path: string, body?: unknown): Promise<Response> {
  const clock = new SimClock(NOON_MS);
  const healing = { giveUp: () => lostRanges.splice(0).length, isLooking };
  const holes = holeDoorOf({ book, healing, clock, log: SILENT_LOG });
  const api = createApi(new SampleSources(new SimClock(NOON_MS)).options({ holes }));
  const url = `http://127.0.0.1:8080/api/v1/holes${path}`;
  const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const init = body === undefined ? {} : { ...post, body: JSON.stringify(body) };
  return Promise.resolve(api.fetch(new Request(url, init), '192.0.2.7:5000'));
}

describe('holes', () => {
  test('are told with whose ops they are, and since when', async () => {
    const { holes } = (await (await ask('')).json()) as { holes: unknown[] };
    assert.deepEqual(holes[0], {
      origin: DEVICE_A,
      class: 'record',
      from: 1,
      to: 50,
      device: 'tablet',
      since: '2026-03-01T12:00:00.000Z',
      closed: false,
    });
    assert.equal(lackingText(book), '51 ops that other hubs have had, told by tablet, another hub');
  });

  test('are closed by origin, or all, once', async () => {
    assert.deepEqual(await (await ask('/close', { origin: DEVICE_A })).json(), {
      ops: 50,
      ranges: 0,
    });
    assert.equal((await ask('/close', { origin: DEVICE_A })).status, 409);
    assert.equal(lackingText(book), '1 op that other hubs have had, told by another hub');
    assert.deepEqual(await (await ask('/close', { all: true })).json(), { ops: 1, ranges: 0 });
    assert.equal(lackingText(book), undefined);
  });

  test('are told and closed where the card has lost what stood there, too', async () => {
    book.found([{ lane: laneOf(DEVICE_B, RECORD), from: 3, to: 4, between: [7, 9] }]);
    lostRanges = [1];
    const { holes } = (await (await ask('')).json()) as { holes: { since: string | null }[] };
    assert.deepEqual([holes.length, holes[0]?.since], [3, null]);
    assert.deepEqual(await (await ask('/close', { all: true })).json(), { ops: 53, ranges: 1 });
    assert.equal((await ask('/close', { all: true })).status, 409);
  });

  test('are not said to be none while the journal is still looked through', async () => {
    book = new HoleBook();
    isLooking = true;
    assert.deepEqual(await (await ask('')).json(), { holes: [], searching: true });
    const answer = await ask('/close', { all: true });
    assert.equal(answer.status, 409);
    assert.match(await answer.text(), /still being looked through/);
    isLooking = false;
    assert.deepEqual(await (await ask('')).json(), { holes: [], searching: false });
  });

  test.each([{}, { all: false }, { origin: 7 }, null, []])('are not closed by %j', async (body) => {
    assert.equal((await ask('/close', body)).status, 400);
    assert.equal(book.open().length, 2);
  });
});
