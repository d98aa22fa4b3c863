/** Sending by hand over HTTP: who may, for how long, and not on behalf of another web site. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'vitest';

import type { Role } from '../../../../src/model/op.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { type ApiOptions, createApi } from '../../../../src/status/api/api.ts';
import { NOON_MS, SampleSources } from '../../../support/made/status.ts';

let sources: SampleSources;
const JSON_TYPE = { 'content-type': 'application/json' };

beforeEach(() => {
  sources = new SampleSources(new SimClock(NOON_MS));
});

async function post(
  body: unknown,
  headers: Record<string, string> = JSON_TYPE,
  change: Partial<ApiOptions> = {},
): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const request = new Request('http://127.0.0.1:8080/api/v1/override', {
    method: 'POST',
    headers,
    body: text,
  });
  return createApi(sources.options(change)).fetch(request, '192.0.2.7:5000');
}

describe('for a while', () => {
  test('until when, and who, and its end', async () => {
    const begun = await post({ minutes: 30 });
    assert.equal(begun.status, 200);
    assert.deepEqual(await begun.json(), {
      override: { until: '2026-03-01T12:30:00.000Z', who: 'somebody on site', held: false },
    });
    const ended = await post({ minutes: 0 });
    assert.deepEqual(await ended.json(), { override: null });
  });

  test.each([{ minutes: -1 }, { minutes: 1441 }, { minutes: '30' }, {}, null, 'x', [30]])(
    'refused: %j',
    async (body) => {
      assert.equal((await post(body)).status, 400);
      assert.equal(sources.override, undefined);
    },
  );

  test('other methods are not meant', async () => {
    const request = new Request('http://127.0.0.1:8080/api/v1/override');
    const answer = await createApi(sources.options()).fetch(request, '');
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get('allow'), 'POST');
  });
});

describe('not on behalf of another web site', () => {
  const forged: Record<string, Record<string, string>> = {
    'a form': { 'content-type': 'application/x-www-form-urlencoded' },
    'a form that looks like text': { 'content-type': 'text/plain' },
    'another origin': { ...JSON_TYPE, origin: 'http://evil.example' },
    'another port': { ...JSON_TYPE, origin: 'http://127.0.0.1:3000' },
    'no origin to speak of': { ...JSON_TYPE, origin: 'null' },
    'a browser that says so': { ...JSON_TYPE, 'sec-fetch-site': 'cross-site' },
  };

  test.each(Object.entries(forged))('%s', async (_, headers) => {
    const answer = await post({ minutes: 30 }, headers);
    assert.ok(answer.status === 403 || answer.status === 415);
    assert.equal(sources.override, undefined);
  });

  test('the own page may', async () => {
    const headers = {
      ...JSON_TYPE,
      origin: 'http://127.0.0.1:8080',
      'sec-fetch-site': 'same-origin',
    };
    assert.equal((await post({ minutes: 5 }, headers)).status, 200);
  });
});

describe('in mode password', () => {
  function authFor(role: Role): NonNullable<ApiOptions['auth']> {
    return {
      authenticate: ({ username }) => Promise.resolve({ name: username, role, clientId: 'http' }),
      mayRead: () => true,
    };
  }
  const login = { ...JSON_TYPE, authorization: `Basic ${btoa('ana:secret')}` };

  test.each(['technician', 'supervisor', 'operator'] as const)('a %s may', async (role) => {
    assert.equal((await post({ minutes: 5 }, login, { auth: authFor(role) })).status, 200);
    assert.equal(sources.override?.who, 'ana');
  });

  test('a device may not, and nobody without a login', async () => {
    assert.equal((await post({ minutes: 5 }, login, { auth: authFor('device') })).status, 403);
    assert.equal(
      (await post({ minutes: 5 }, JSON_TYPE, { auth: authFor('operator') })).status,
      401,
    );
    assert.equal(sources.override, undefined);
  });
});
