/** The regional node's HTTP: who may ask, and what for. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { FAULTS, HubError } from '../../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import type { Role } from '../../../../src/model/op.ts';
import {
  createRegionApi,
  type RegionApiOptions,
} from '../../../../src/status/region/region-api.ts';
import type { SendDoor, SendWish } from '../../../../src/status/region/send-door.ts';
import type { FaultStatus } from '../../../../src/status/snapshot.ts';
import { NO_ASSETS } from '../../../support/made/status.ts';

const FULL: FaultStatus = {
  code: 'store.failed',
  message: 'database or disk is full',
  hint: FAULTS['store.failed'],
  since: '2026-03-01T11:00:00.000Z',
};
const LINES = [{ at: '2026-03-01T10:00:00Z' }, { at: '2026-03-01T11:00:00Z' }];

const sent: SendWish[] = [];
const SENDING: SendDoor = {
  wallMs: () => 1_000,
  send: async (wish) => {
    sent.push(wish);
    return wish.site === 'north' ? { op: 'a1/2/1' } : { refused: 'no such site' };
  },
  sendRoster: async () => ({ op: 'x' }),
  delivery: async () => ({ has: [], waits: ['a1'] }),
};

const NOTHING = {
  isConnected: () => true,
  wallMs: () => 0,
  diskFreeBytes: () => null,
  faults: () => [],
  status: () => Promise.reject(new Error('not asked for')),
  digest: () => Promise.resolve(undefined),
  fleet: () => Promise.resolve([]),
  lines: () => Promise.resolve(undefined),
  summaries: () => Promise.resolve(undefined),
  readings: () => undefined,
  timers: machineTimers,
  settings: () => Promise.resolve(undefined),
  metrics: () => Promise.reject(new Error('not asked for')),
  page: { answer: () => undefined },
};

function ask(
  path: string,
  change: Partial<RegionApiOptions> = {},
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Response> {
  const api = createRegionApi({
    assets: NO_ASSETS,
    isConnected: () => true,
    wallMs: () => Date.parse('2026-03-01T12:00:00.000Z'),
    diskFreeBytes: () => 5_000_000,
    faults: () => [FULL],
    settings: () => Promise.resolve(undefined),
    status: async () => ({
      regionId: 'r',
      version: '0.1.0',
      uptimeS: 1,
      at: '2026-03-01T12:00:00.000Z',
      connected: true,
      diskFreeBytes: 5_000_000,
      faults: [FULL],
      sites: [{ site: 'north', hubs: ['a1'], batches: 3 }],
    }),
    metrics: async () => ({
      regionId: 'r',
      version: '0.1.0',
      uptimeS: 1,
      connected: true,
      databaseThere: null,
      diskFreeBytes: 5_000_000,
      faults: [FULL],
      work: { chunks: 7, batches: 3, ops: 30, parked: 0, nonsense: 1, overQuota: 0 },
      sites: [
        {
          site: 'north',
          batches: 3,
          underway: 1,
          complete: 0,
          parked: 0,
          hubs: [{ hub: 'a1', heardS: 12 }],
        },
      ],
    }),
    digest: async (site) => (site === 'north' ? { digest: '00', ops: 1, records: 0 } : undefined),
    fleet: async () => [],
    lines: async (site, hub, sinceMs = 0) =>
      site === 'north' && hub === 'a1'
        ? LINES.filter(({ at }) => Date.parse(at) >= sinceMs)
        : undefined,
    page: { answer: (file) => (file === '/' ? new Response('page') : undefined) },
    summaries: async () => [],
    readings: () => undefined,
    timers: machineTimers,
    sending: SENDING,
    takeCarried: async () => ({ answers: [] }),
    log: SILENT_LOG,
    ...change,
  });
  const request = new Request(`http://127.0.0.1:8081${path}`, { headers, method });
  return Promise.resolve(api.fetch(request, '192.0.2.7:5000'));
}

test('summaries of a hub, and nothing of an unknown one', async () => {
  const summaries = async (site: string, hub: string, all: boolean) =>
    site === 'north' && hub === 'a1' ? [{ hub, all }] : undefined;
  const answer = await ask('/api/v1/summaries?site=north&hub=a1&all=1', { summaries });
  assert.deepEqual(((await answer.json()) as { summaries: unknown }).summaries, [
    { hub: 'a1', all: true },
  ]);
  assert.equal((await ask('/api/v1/summaries?site=north&hub=b2', { summaries })).status, 404);
  assert.equal((await ask('/api/v1/summaries', { summaries })).status, 400);
});

test('readings of a site, in as many pages as its storage makes of them', async () => {
  const START_MS = Date.parse('2026-03-01T11:00:00.000Z');
  const readings: RegionApiOptions['readings'] = (site) => {
    if (site !== 'north') return undefined;
    return async ({ fromMs, stepMs }) => {
      assert.equal(stepMs, 0);
      const atMs = Math.max(fromMs, START_MS);
      const point = { atMs, count: 1, fields: {}, payload: utf8(`${(atMs - START_MS) / 1_000}`) };
      return { points: [point], nextFromMs: atMs > START_MS ? undefined : atMs + 1_000 };
    };
  };
  const csv = { accept: 'text/csv' };
  const answer = await ask('/api/v1/readings?key=meters/1', { readings }, csv);
  const rows = ['at,value', '2026-03-01T11:00:00.000Z,0', '2026-03-01T11:00:01.000Z,1'];
  assert.deepEqual((await answer.text()).trim().split('\r\n'), rows);
  assert.equal((await ask('/api/v1/readings?site=north', { readings })).status, 400, 'no key');
  assert.equal((await ask('/api/v1/readings?site=south&key=a', { readings })).status, 404);
});

test('status, fleet, digest and page', async () => {
  assert.equal((await ask('/healthz')).status, 200);
  assert.equal((await ask('/api/v1/status')).status, 200);
  assert.deepEqual(await (await ask('/api/v1/fleet')).json(), {
    at: '2026-03-01T12:00:00.000Z',
    diskFreeBytes: 5_000_000,
    faults: [FULL],
    hubs: [],
  });
  assert.equal((await ask('/api/v1/digest')).status, 200, 'the only site needs no name');
  assert.equal((await ask('/api/v1/digest?site=south')).status, 404);
  const page = await ask('/');
  assert.equal(await page.text(), 'page');
  assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
  assert.equal((await ask('/api/v1/nothing')).status, 404);
  const asked = await ask('/api/v1/send');
  assert.deepEqual([asked.status, asked.headers.get('allow')], [405, 'POST']);
  const posted = await ask('/healthz', {}, {}, 'POST');
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD']);
  assert.equal((await ask('/', {}, {}, 'POST')).status, 405, 'as on the hub');
});

test('metrics', async () => {
  const answer = await ask('/metrics');
  const text = await answer.text();
  assert.match(answer.headers.get('content-type') ?? '', /version=0\.0\.4/);
  assert.match(text, /^heliograph_region_ops_total 30$/m);
  assert.match(text, /^heliograph_region_disk_free_bytes 5000000$/m);
  assert.match(text, /^heliograph_fault\{code="store\.failed"\} 1$/m);
  assert.match(text, /^heliograph_fault\{code="database\.away"\} 0$/m);
  assert.match(text, /^heliograph_hub_heard_seconds\{site="north",hub="a1"\} 12$/m);
  assert.doesNotMatch(text, /database_up/, 'what is not there has no series');
});

test('the log of a hub, as JSON lines', async () => {
  const all = await ask('/api/v1/log?site=north&hub=a1');
  assert.equal(await all.text(), LINES.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const recent = await ask('/api/v1/log?site=north&hub=a1&since=2026-03-01T10:30:00Z');
  assert.equal(await recent.text(), `${JSON.stringify(LINES[1])}\n`);
  const byAge = await ask('/api/v1/log?site=north&hub=a1&since=90m');
  assert.equal(await byAge.text(), `${JSON.stringify(LINES[1])}\n`);
  assert.equal((await ask('/api/v1/log?site=north')).status, 400);
  assert.equal((await ask('/api/v1/log?site=north&hub=a1&since=x')).status, 400);
  assert.equal((await ask('/api/v1/log?site=north&hub=b2')).status, 404);
});

test('in mode password people come in, devices and strangers do not', async () => {
  const authFor = (role: Role): NonNullable<RegionApiOptions['auth']> => ({
    authenticate: ({ username }) =>
      Promise.resolve(username === 'ana' ? { name: 'ana', role, clientId: '' } : undefined),
    mayRead: () => true,
  });
  const as = (user: string) => ({ authorization: `Basic ${btoa(`${user}:x`)}` });
  for (const path of ['/', '/api/v1/status', '/api/v1/fleet', '/api/v1/log?site=north&hub=a1']) {
    const operators = { auth: authFor('operator') };
    assert.equal((await ask(path, operators, as('ana'))).status, 200, path);
    assert.equal((await ask(path, operators, as('bob'))).status, 401, path);
    assert.equal((await ask(path, operators)).status, 401, path);
    assert.equal((await ask(path, { auth: authFor('device') }, as('ana'))).status, 403, path);
  }
  assert.equal((await ask('/healthz', { auth: authFor('operator') })).status, 200);
});

test('without users, another host name is refused', async () => {
  assert.equal((await ask('/api/v1/fleet', { acceptsHost: () => false })).status, 421);
});

test('of a database that is away each answer says so, and the log does not again', async () => {
  const told: string[] = [];
  const log = { ...SILENT_LOG, error: (event: string) => void told.push(event) };
  const failing = (error: Error) => ({
    log,
    fleet: async (): Promise<never> => {
      throw error;
    },
  });
  const away = await ask('/api/v1/fleet', failing(new HubError('database.away', 'PostgreSQL')));
  assert.equal(away.status, 503);
  assert.match(await away.text(), /Check the server and its disk/);
  assert.deepEqual(told, []);
  assert.equal((await ask('/api/v1/fleet', failing(new Error('a bug')))).status, 500);
  assert.deepEqual(told, ['http.failed']);
});

describe('what is sent down', () => {
  const post = async (path: string, body: unknown): Promise<{ status: number; body: unknown }> => {
    const api = createRegionApi({
      assets: NO_ASSETS,
      ...NOTHING,
      sending: SENDING,
      takeCarried: async () => ({ answers: [] }),
      log: SILENT_LOG,
    });
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', body: JSON.stringify(body), headers };
    const request = new Request(`http://127.0.0.1:8081${path}`, init);
    const answer = await api.fetch(request, '192.0.2.7:5000');
    return { status: answer.status, body: await answer.json() };
  };

  test('an order, with the authority of whoever asks', async () => {
    sent.length = 0;
    const wish = { site: 'north', key: 'order/17', set: { state: 'open' } };
    const { status, body } = await post('/api/v1/send', wish);
    assert.equal(status, 200);
    assert.deepEqual(body, { op: 'a1/2/1', site: 'north', has: [], waits: ['a1'] });
    assert.deepEqual(sent, [{ ...wish, role: 'operator' }]);
    assert.equal((await post('/api/v1/send', { ...wish, site: 'south' })).status, 409);
  });

  test.each([
    { site: 'north', key: 'order/17' },
    { site: 'north', key: '', set: {} },
    { site: 'north', key: 'k', set: { a: 1 }, add: { a: 1 } },
    { site: 'north', key: 'k', add: { a: 1.5 } },
    { site: 'north', key: 'control/all', set: { override_until: 1 } },
    { site: 'north', key: 'config/all', set: { log_level: 'debug' } },
    [],
  ])('nothing that is not clear: %j', async (wish) => {
    sent.length = 0;
    assert.equal((await post('/api/v1/send', wish)).status, 400);
    assert.deepEqual(sent, []);
  });

  test('an override becomes a record that hubs heed', async () => {
    sent.length = 0;
    await post('/api/v1/override', { site: 'north', minutes: 30 });
    const set = { override_until: 1_801_000, override_minutes: 30, override_by: 'the region' };
    assert.deepEqual(sent, [{ site: 'north', key: 'control/all', set, role: 'operator' }]);
    const tooLong = { site: 'north', hub: 'all', minutes: 1_441 };
    assert.equal((await post('/api/v1/override', tooLong)).status, 400);
    assert.equal(
      (await post('/api/v1/override', { site: 'north', hub: 'x', minutes: 1 })).status,
      400,
    );
  });
});
