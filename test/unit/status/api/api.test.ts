import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';
import { beforeEach, test } from 'vitest';

import { must } from '../../../../src/base/assert.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { encodeCbor } from '../../../../src/codec/writer.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { type ApiOptions, createApi } from '../../../../src/status/api/api.ts';
import type { Api } from '../../../../src/status/http/serve-api.ts';
import type { ReadingPoint } from '../../../../src/status/api/readings.ts';
import { NOON_MS, SampleSources } from '../../../support/made/status.ts';

let clock: SimClock;
let sources: SampleSources;

beforeEach(() => {
  clock = new SimClock(NOON_MS);
  sources = new SampleSources(clock);
});

function api(change: Partial<ApiOptions> = {}): Api {
  return createApi(sources.options(change));
}

async function ask(
  path: string,
  init: RequestInit = {},
  change: Partial<ApiOptions> = {},
): Promise<Response> {
  const request = new Request(`http://127.0.0.1:8080${path}`, init);
  return api(change).fetch(request, '192.0.2.7:5000');
}

async function problemOf(response: Response): Promise<{ status: number; detail: string }> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const body = (await response.json()) as { status: number; detail: string; title: string };
  assert.equal(body.status, response.status);
  assert.equal(body.title, STATUS_CODES[body.status], 'RFC 9457 §4.2.1');
  assert.ok(body.detail.length > 0);
  return body;
}

test('status is the snapshot as it stands', async () => {
  const response = await ask('/api/v1/status');
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), sources.status);
});

test('health is 200 while all is well, else 503 with the reasons', async () => {
  assert.equal((await ask('/healthz')).status, 200);
  sources.health = { ok: false, reasons: ['journal.disk-full'] };
  const sick = await ask('/healthz');
  assert.equal(sick.status, 503);
  assert.deepEqual(await sick.json(), { ok: false, reasons: ['journal.disk-full'] });
});

test('what is not there, not allowed or not understood is a problem document', async () => {
  assert.equal((await problemOf(await ask('/api/v1/nothing'))).status, 404);
  const post = await ask('/api/v1/status', { method: 'POST' });
  assert.equal((await problemOf(post)).status, 405);
  assert.equal(post.headers.get('allow'), 'GET, HEAD');
  const allowed = async (path: string): Promise<string | null> =>
    (await ask(path, { method: 'PATCH' })).headers.get('allow');
  assert.equal(await allowed('/api/v1/assets'), 'GET, HEAD, POST');
  assert.equal(await allowed('/api/v1/assets/ab'), 'GET, HEAD, PUT');
  assert.equal(await allowed('/api/v1/records/order/17'), 'GET, HEAD');
  assert.equal(await allowed('/api/v1/override'), 'POST');
  const page = { answer: (path: string) => (path === '/' ? new Response('') : undefined) };
  const remove = await ask('/', { method: 'DELETE' }, { page });
  assert.equal((await problemOf(remove)).status, 405);
  assert.equal((await problemOf(await ask('/x', { method: 'DELETE' }, { page }))).status, 404);
  assert.match((await problemOf(await ask('/api/v1/log?since=x'))).detail, /RFC 3339/);
  assert.match((await problemOf(await ask('/api/v1/readings'))).detail, /\?key=/);
  assert.match((await problemOf(await ask('/api/v1/readings?key=a&step=x'))).detail, /15m/);
  assert.equal((await problemOf(await ask('/api/v1/records/%ff'))).status, 400);
});

test('a source that throws is a problem of 500 that tells no secrets', async () => {
  const snapshot = (): never => {
    throw new Error('/root/secret');
  };
  const body = await problemOf(await ask('/api/v1/status', {}, { snapshot }));
  assert.equal(body.status, 500);
  assert.doesNotMatch(body.detail, /secret/);
});

test('what fails because the hub is stopping is no error in its log', async () => {
  const logged: string[] = [];
  const log = { ...SILENT_LOG, error: (event: string) => void logged.push(event) };
  let close = (): void => undefined;
  const closed = new Promise<void>((resolve) => (close = resolve));
  const digest = async (): Promise<never> => {
    await closed;
    throw new Error('the store is closed');
  };
  const stopping = api({ digest, log });
  const request = new Request('http://127.0.0.1:8080/api/v1/digest');
  const asked = Promise.resolve(stopping.fetch(request, '192.0.2.7:5000'));
  stopping.close();
  close();
  assert.equal((await problemOf(await asked)).status, 503);
  assert.deepEqual(logged, []);
});

test('every answer forbids the page what it does not need', async () => {
  for (const path of ['/api/v1/status', '/nothing', '/metrics']) {
    const { headers } = await ask(path);
    assert.match(
      headers.get('content-security-policy') ?? '',
      /default-src 'none'.*script-src 'self'/,
    );
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  }
});

test('the log comes as JSON lines, since a moment', async () => {
  const all = await (await ask('/api/v1/log')).text();
  assert.equal(all.trim().split('\n').length, 2);
  const response = await ask('/api/v1/log?since=2026-03-01T11:45:00Z');
  assert.match(response.headers.get('content-type') ?? '', /^application\/jsonl/);
  assert.deepEqual(JSON.parse(await response.text()), sources.lines[1]);
  const byAge = await ask('/api/v1/log?since=15m');
  assert.deepEqual(JSON.parse(await byAge.text()), sources.lines[1]);
});

/** Reads events until `count` have come. */
async function events(response: Response, count: number): Promise<[string, unknown][]> {
  const reader = must(response.body, 'a body').getReader();
  const found: [string, unknown][] = [];
  let text = '';
  while (found.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const match = /^event: (\w+)\ndata: (.*)$/.exec(block);
      if (match !== null) found.push([match[1] as string, JSON.parse(match[2] as string)]);
    }
  }
  reader.releaseLock();
  return found;
}

test('the log can be followed, and a reader that goes is forgotten', async () => {
  const response = await ask('/api/v1/log', { headers: { accept: 'text/event-stream' } });
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  sources.say({ at: '2026-03-01T12:01:00.000Z', event: 'decision', why: 'sun' });
  const seen = await events(response, 3);
  assert.deepEqual(
    seen.map(([event]) => event),
    ['line', 'line', 'line'],
  );
  assert.deepEqual(seen.at(-1)?.[1], sources.lines.at(-1));
  assert.equal(sources.listeners.size, 1);
  await response.body?.cancel();
  assert.equal(sources.listeners.size, 0);
  assert.equal(clock.nextDueMs(), undefined, 'no timer is left behind');
});

test('the stream of the page carries status, past lines and new ones', async () => {
  const response = await ask('/api/v1/events');
  sources.say({ at: '2026-03-01T12:01:00.000Z', event: 'decision' });
  await clock.advance(1000);
  const seen = await events(response, 4);
  assert.deepEqual(
    seen.map(([event]) => event),
    ['status', 'lines', 'line', 'status'],
  );
  await response.body?.cancel();
});

test('streams that are open together share one snapshot a second, and stop asking with the last one', async () => {
  let asked = 0;
  const snapshot = (): typeof sources.status => {
    asked++;
    return sources.status;
  };
  const one = api({ snapshot });
  const open: Response[] = [];
  for (let i = 0; i < 3; i++)
    open.push(await one.fetch(new Request('http://x/api/v1/events'), 'r'));
  assert.equal(asked, 3, 'each begins with one');
  await clock.advance(2000);
  assert.equal(asked, 5);
  const last = must(open.pop(), 'a stream');
  for (const response of open) await response.body?.cancel();
  await clock.advance(1000);
  const seen = await events(last, 5);
  assert.equal(seen.filter(([event]) => event === 'status').length, 4);
  await last.body?.cancel();
  assert.equal(clock.nextDueMs(), undefined, 'no timer is left behind');
});

test('a stream whose reader sleeps ends instead of filling memory', async () => {
  const response = await ask('/api/v1/log', { headers: { accept: 'text/event-stream' } });
  const why = 'x'.repeat(10_000);
  for (let i = 0; i < 200; i++) sources.say({ at: '2026-03-01T12:01:00.000Z', event: 'd', why });
  assert.equal(sources.listeners.size, 0);
  assert.ok((await response.text()).length < 1_200_000);
});

test('more streams than the limit are refused until one goes', async () => {
  const one = api();
  const request = (): Request => new Request('http://x/api/v1/events');
  const open: Response[] = [];
  for (let i = 0; i < 32; i++) open.push(await one.fetch(request(), 'r'));
  const refused = await one.fetch(request(), 'r');
  assert.equal(refused.status, 429);
  await open[0]?.body?.cancel();
  assert.equal((await one.fetch(request(), 'r')).status, 200);
  one.close();
  assert.equal(sources.listeners.size, 0);
});

test('records are shown with their fields; bytes as base64', async () => {
  const fields = new Map([
    ['name', { value: encodeCbor('pump 2') }],
    ['limits', { value: encodeCbor(new Map([['max', 4.5]])) }],
    ['key', { value: encodeCbor(Uint8Array.of(1, 2)) }],
    ['__proto__', { value: encodeCbor(true) }],
  ]);
  sources.records.set('pumps/2 %', fields);
  const response = await ask('/api/v1/records/pumps/2%20%25');
  assert.deepEqual(JSON.parse(await response.text()), {
    key: 'pumps/2 %',
    fields: Object.fromEntries([
      ['name', 'pump 2'],
      ['limits', { max: 4.5 }],
      ['key', { base64: 'AQI=' }],
      ['__proto__', true],
    ]),
    counters: {},
  });
  assert.equal((await problemOf(await ask('/api/v1/records/pumps/3'))).status, 404);
});

function single(agoMs: number, payload: string): ReadingPoint {
  return { atMs: NOON_MS - agoMs, count: 1, fields: {}, payload: utf8(payload) };
}

/** On the machine's timers: pages are parted by a turn of the event loop. */
function askReadings(query: string, init: RequestInit = {}): Promise<Response> {
  return ask(`/api/v1/readings?${query}`, init, { timers: machineTimers });
}

test('readings come as JSON or CSV, with defaults of a day, over as many pages as needed', async () => {
  sources.readings.push(
    single(90_000_000, 'too old'),
    single(3_600_000, '21.5'),
    single(60_000, '{"t":22,"s":"a,b"}'),
    single(1000, '=SUM(A1)'),
    single(0, 'too new'),
  );
  assert.deepEqual(await (await askReadings('key=meters/1')).json(), {
    key: 'meters/1',
    from: '2026-02-28T12:00:00.000Z',
    to: '2026-03-01T12:00:00.000Z',
    stepS: 0,
    next: null,
    readings: [
      { at: '2026-03-01T11:00:00.000Z', value: 21.5 },
      { at: '2026-03-01T11:59:00.000Z', value: { t: 22, s: 'a,b' } },
      { at: '2026-03-01T11:59:59.000Z', value: '=SUM(A1)' },
    ],
  });
  const never = await askReadings('key=meters/1', {
    headers: { accept: 'text/csv;q=0, application/json' },
  });
  assert.equal(never.headers.get('content-type'), 'application/json');
  const csv = await askReadings('key=meters/1', { headers: { accept: 'text/csv' } });
  assert.deepEqual((await csv.text()).split('\r\n'), [
    'at,value',
    '2026-03-01T11:00:00.000Z,21.5',
    '2026-03-01T11:59:00.000Z,"{""t"":22,""s"":""a,b""}"',
    "2026-03-01T11:59:59.000Z,'=SUM(A1)",
    '',
  ]);
});

test('readings in steps carry what each field did', async () => {
  const volts = { min: 12, max: 13, mean: 12.5, last: 13, count: 4 };
  sources.readings.push({ atMs: NOON_MS - 900_000, count: 4, fields: { volts } });
  const json = (await (await askReadings('key=a&step=15m')).json()) as { stepS: number };
  assert.deepEqual(json, {
    ...json,
    stepS: 900,
    readings: [{ at: '2026-03-01T11:45:00.000Z', count: 4, fields: { volts } }],
  });
  const csv = await askReadings('key=a&step=15m', { headers: { accept: 'text/csv' } });
  assert.deepEqual((await csv.text()).split('\r\n').slice(0, 2), [
    'at,field,count,min,mean,max,last',
    '2026-03-01T11:45:00.000Z,volts,4,12,12.5,13,13',
  ]);
});

test('an answer ends after some pages and says where to go on', async () => {
  for (let i = 100; i > 0; i--) sources.readings.push(single(i * 1000, String(i)));
  const first = (await (await askReadings('key=a')).json()) as { next: string; readings: [] };
  assert.equal(first.readings.length, 40);
  assert.equal(first.next, '2026-03-01T11:59:00.000Z');
  const rest = (await (await askReadings(`key=a&from=${first.next}`)).json()) as typeof first;
  assert.equal(rest.readings.length, 40);
});

test('the history of power comes in columns', async () => {
  const powerSince = () => [{ atMs: NOON_MS, socPct: 50, batteryV: 13, pvW: null, loadW: 3 }];
  const response = await ask('/api/v1/power', {}, { powerSince });
  assert.deepEqual(await response.json(), {
    at: ['2026-03-01T12:00:00.000Z'],
    socPct: [50],
    batteryV: [13],
    pvW: [null],
    loadW: [3],
  });
});

const auth: NonNullable<ApiOptions['auth']> = {
  authenticate: ({ username, password, clientId }) =>
    Promise.resolve(
      username === 'ana' && new TextDecoder().decode(password) === 'pä:ss'
        ? { name: username, role: 'device', clientId }
        : undefined,
    ),
  mayRead: (_, key) => key.startsWith('devices/ana/'),
};

function basic(text: string): RequestInit {
  return { headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } };
}

test('with users, every path but health asks for one', async () => {
  const refused = await ask('/api/v1/status', {}, { auth });
  assert.equal((await problemOf(refused)).status, 401);
  assert.match(refused.headers.get('www-authenticate') ?? '', /^Basic realm=/);
  assert.match(refused.headers.get('content-security-policy') ?? '', /default-src/);
  for (const login of ['ana:wrong', 'bob:pä:ss', 'ana']) {
    assert.equal((await ask('/', basic(login), { auth })).status, 401);
  }
  const malformed = { headers: { authorization: 'Basic %%%' } };
  assert.equal((await ask('/metrics', malformed, { auth })).status, 401);
  assert.equal((await ask('/api/v1/status', basic('ana:pä:ss'), { auth })).status, 200);
  assert.equal((await ask('/healthz', {}, { auth })).status, 200);
});

test('records and readings follow the rights of the user', async () => {
  const login = basic('ana:pä:ss');
  sources.records.set('devices/ana/1', new Map([['a', { value: encodeCbor(1) }]]));
  assert.equal((await ask('/api/v1/records/devices/ana/1', login, { auth })).status, 200);
  assert.equal((await ask('/api/v1/records/devices/bob/1', login, { auth })).status, 403);
  assert.equal((await ask('/api/v1/readings?key=devices/bob/1', login, { auth })).status, 403);
});

test('no page of keys names one that its reader may not read', async () => {
  for (const name of ['abe', 'bob'])
    for (let n = 0; n < 1_500; n++) sources.records.set(`devices/${name}/${n}`, new Map());
  sources.records.set('devices/ana/1', new Map());
  const pages: string[] = [];
  for (let next: string | null = ''; next !== null;) {
    const path = `/api/v1/records?after=${encodeURIComponent(next)}`;
    const answer = await ask(path, basic('ana:pä:ss'), { auth, timers: machineTimers });
    const text = await answer.text();
    pages.push(text);
    ({ next } = JSON.parse(text) as { next: string | null });
  }
  assert.match(pages.join(''), /devices\/ana\/1/);
  assert.doesNotMatch(pages.join(''), /abe|bob/);
});

test('a request for a foreign host is refused, as DNS rebinding would send it', async () => {
  const acceptsHost = (hostname: string): boolean => hostname === '127.0.0.1';
  assert.equal((await ask('/api/v1/status', {}, { acceptsHost })).status, 200);
  const foreign = new Request('http://evil.example:8080/api/v1/status');
  const response = await api({ acceptsHost }).fetch(foreign, 'r');
  assert.equal((await problemOf(response)).status, 421);
});
