/** The ledger's paths: what C2SP tlog-tiles asks for, and nothing beside. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { createApi } from '../../../../src/status/api/api.ts';
import type { TransparencyLog } from '../../../../src/status/api/transparency.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { NOON_MS, SampleSources } from '../../../support/made/status.ts';

const asked: string[] = [];
const ledger: TransparencyLog = {
  checkpoint: (opClass) => `checkpoint of ${opClass}\n`,
  cosigned: (opClass) => (opClass === 3 ? 'cosigned\n' : undefined),
  since: (opClass, oldSize, size = 9) =>
    oldSize <= size ? `${opClass} from ${oldSize} to ${size}\n` : undefined,
  verifierKey: (opClass) => `key of ${opClass}`,
  tile: (opClass, level, index, width) => {
    asked.push([opClass, level, index, width ?? 256].join(' '));
    return index === 1_234_067 ? Uint8Array.of(1, 2) : undefined;
  },
  locate: ({ seq }) => Promise.resolve(seq === 5 ? 105 : undefined),
  prove: (lsn) => (lsn === 105 ? { key: 'meters/1', text: 'a proof\n' } : undefined),
};

function get(path: string): Response | Promise<Response> {
  const sources = new SampleSources(new SimClock(NOON_MS));
  const api = createApi(sources.options({ ledger }));
  return api.fetch(new Request(`http://127.0.0.1${path}`), '127.0.0.1');
}

test('checkpoints and keys are text, by class; telemetry without one', async () => {
  for (const [path, text] of [
    ['/log/alarm/checkpoint', 'checkpoint of 0\n'],
    ['/log/checkpoint', 'checkpoint of 3\n'],
    ['/log/record/key', 'key of 2\n'],
    ['/log/telemetry/cosigned', 'cosigned\n'],
    ['/log/since/4', '3 from 4 to 9\n'],
    ['/log/alarm/since/0/7', '0 from 0 to 7\n'],
  ] as const) {
    const answer = await get(path);
    assert.equal(answer.status, 200, path);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
    assert.equal(await answer.text(), text);
  }
});

test('tiles are found by level, index in groups of three digits, and width', async () => {
  asked.length = 0;
  const answer = await get('/log/telemetry/tile/0/x001/x234/067');
  assert.equal(answer.status, 200);
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), Uint8Array.of(1, 2));
  assert.match(answer.headers.get('cache-control') ?? '', /immutable/);
  await get('/log/tile/2/000.p/17');
  assert.deepEqual(asked, ['3 0 1234067 256', '3 2 0 17']);
});

test('other paths are not there', async () => {
  asked.length = 0;
  for (const path of [
    '/log/nonsense/checkpoint',
    '/log/alarm/cosigned',
    '/log/tile/0/67',
    '/log/tile/0/001/067',
    '/log/tile/0/000.p/0',
    '/log/tile/0/000.p/256',
    '/log/tile/entries/000',
    '/log/telemetry',
    '/log/since/10',
    '/log/since/007',
    '/log/since/3/2',
    '/log/nonsense/since/3',
  ]) {
    assert.equal((await get(path)).status, 404, path);
  }
  assert.deepEqual(asked, []);
});

test('a proof is asked for by LSN or by name', async () => {
  for (const op of ['105', '34750f98bd59fcfc/telemetry/5', '34750f98bd59fcfc/3/5']) {
    const answer = await get(`/api/v1/proof?op=${encodeURIComponent(op)}`);
    assert.equal(await answer.text(), 'a proof\n');
  }
  for (const op of ['', '106', '34750f98bd59fcfc/9/5', 'x/telemetry/5', '0']) {
    const answer = await get(`/api/v1/proof?op=${encodeURIComponent(op)}`);
    assert.equal(answer.status, 404, op);
    const says =
      op === '' ? 'Ops are named by' : `no op ${op} in the journal that this hub has accepted`;
    const text = await answer.text();
    assert.ok(text.includes(says), op);
    if (op !== '') assert.ok(text.includes('proofs that were kept stay good'), op);
  }
});
