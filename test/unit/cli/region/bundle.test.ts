/** A bundle goes in by requests that a node takes. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { encodeBundle } from '../../../../src/batch/bundle.ts';
import { CHUNK_DATA_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../../../src/batch/limits.ts';
import type { HttpClient } from '../../../../src/platform/network/http/http-client.ts';
import { SimFiles } from '../../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';

/** Of a request (http-server.ts). */
const BODY_BYTES_MAX = 1 << 20;

test('messages of any size go in by requests of the size that a node takes', async () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  files.makeDir('stick');
  const sizes = [...Array.from({ length: 8 }, () => CHUNK_DATA_BYTES_MAX), MESSAGE_BYTES_MAX, 100];
  const messages = sizes.map((size, index) => {
    return { topic: `hg/${index}`, payload: new Uint8Array(size) };
  });
  files.replace('stick/a.bundle', encodeBundle(messages)[0] as Uint8Array);
  const bodies: string[] = [];
  const post: HttpClient['post'] = (_url, body) => {
    bodies.push(JSON.stringify(body));
    const text = JSON.stringify({ receipts: 0, foreign: 0, passedOver: 0 });
    return Promise.resolve({ status: 200, text });
  };
  const http = { post } as Partial<HttpClient> as HttpClient;
  const { code, stderr } = await new CliWorld().run(
    'bundle import stick/a.bundle --url http://127.0.0.1:1',
    { files, http },
  );
  assert.equal(code, 0, stderr);
  assert.ok(bodies.every((body) => body.length < BODY_BYTES_MAX));
  const sent = bodies.flatMap((body) => (JSON.parse(body) as { messages: string[][] }).messages);
  assert.deepEqual(
    sent.map(([topic]) => topic),
    messages.map(({ topic }) => topic),
  );
});

test.each([
  ['', { answers: [], refused: [], stored: 1, passedOver: 0 }, /a regional node: --regional/],
  ['--regional', { receipts: 0, foreign: 0, passedOver: 1 }, /a hub: without --regional/],
])('a node of the other kind is named (%s)', async (option, answer, expected) => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const message = { topic: 'hg/0', payload: new Uint8Array(10) };
  files.replace('a.bundle', encodeBundle([message])[0] as Uint8Array);
  const post = (): ReturnType<HttpClient['post']> =>
    Promise.resolve({ status: 200, text: JSON.stringify(answer) });
  const http = { post } as Partial<HttpClient> as HttpClient;
  const { code, stdout, stderr } = await new CliWorld().run(
    `bundle import a.bundle --url http://127.0.0.1:1 ${option}`.trim(),
    { files, http },
  );
  assert.equal(code, 2);
  assert.match(stderr, expected);
  assert.equal(stdout, '');
});
