/** What a content's address answers, beside what test/e2e/assets.test.ts sees of it. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  type ContentDoor,
  contentAnswer,
  type PreviewOutcome,
} from '../../../../src/status/api/assets.ts';

const BYTES = new TextEncoder().encode('0123456789');
const ID = 'ab'.repeat(32);
const LATER: PreviewOutcome = {
  kind: 'later',
  reason: 'the battery does not allow to make it now',
};

/** A door with one content, and how often it was opened and closed again. */
function doorWith(type: string, preview: PreviewOutcome = LATER) {
  const count = { opened: 0, closed: 0 };
  const door: ContentDoor = {
    facts: (sha256) =>
      sha256 === ID
        ? { keys: ['panel/1'], type, size: BYTES.length, state: 'whole', receivedBytes: 10 }
        : undefined,
    open: () => {
      count.opened += 1;
      return Promise.resolve({
        size: BYTES.length,
        readAt: (into, offset) => {
          const part = BYTES.subarray(offset, offset + into.length);
          into.set(part);
          return part.length;
        },
        close: () => (count.closed += 1),
      });
    },
    preview: () => Promise.resolve(preview),
  };
  return { door, count };
}

function ask(
  door: ContentDoor,
  query = '',
  init: RequestInit = {},
  mayRead: (key: string) => boolean = () => true,
): Promise<Response> {
  return contentAnswer(door, new Request(`http://hub/api/v1/assets/${query}`, init), mayRead);
}

test('a preview of what is no picture is not here, now and later; of a picture it may be soon', async () => {
  const { door } = doorWith('application/pdf');
  for (const width of ['320', '1000']) {
    const answer = await ask(door, `${ID}?width=${width}`);
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    assert.match(await answer.text(), /application\/pdf is no picture/);
  }
  const soon = await ask(doorWith('image/jpeg').door, `${ID}?width=320`);
  assert.deepEqual([soon.status, soon.headers.get('retry-after')], [503, '60']);
});

test('HEAD says what GET would send, and opens nothing for long', async () => {
  const { door, count } = doorWith('image/jpeg');
  const [head, get] = [await ask(door, ID, { method: 'HEAD' }), await ask(door, ID)];
  assert.equal(await get.text(), '0123456789');
  assert.equal(await head.text(), '');
  assert.deepEqual([...head.headers], [...get.headers]);
  assert.equal(head.headers.get('content-length'), '10');
  assert.deepEqual(count, { opened: 2, closed: 2 });
});

test('what is known already is not sent again, ranges are, and rights come before both', async () => {
  const { door } = doorWith('text/html');
  const etag = (await ask(door, ID)).headers.get('etag') ?? '';
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const answer = await ask(door, ID, { headers: { 'if-none-match': known } });
    assert.deepEqual([answer.status, answer.headers.get('etag')], [304, etag], known);
  }
  const part = await ask(door, ID, { headers: { range: 'bytes=2-4' } });
  assert.deepEqual([part.status, await part.text()], [206, '234']);
  assert.equal(part.headers.get('content-range'), 'bytes 2-4/10');
  assert.equal(part.headers.get('content-disposition'), 'attachment', 'pages are not run');
  const changed = await ask(door, ID, { headers: { range: 'bytes=2-4', 'if-range': '"other"' } });
  assert.equal(changed.status, 200);
  assert.equal((await ask(door, ID, { headers: { range: 'bytes=10-' } })).status, 416);
  const refused = await ask(door, ID, { headers: { 'if-none-match': '*' } }, () => false);
  assert.equal(refused.status, 403);
  assert.equal((await ask(door, 'cd'.repeat(32))).status, 404);
  assert.equal((await ask(door, `${ID}?width=-1`)).status, 400);
});
