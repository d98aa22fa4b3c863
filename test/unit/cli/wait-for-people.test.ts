/** A node that only a person can help says so where people look, and to nobody else. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type FaultCode, HubError } from '../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { waitForPeople } from '../../../src/cli/wait-for-people.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { SimServiceManager } from '../../../src/platform/sim/service-manager.ts';
import { eventually } from '../../support/hubs/api.ts';
import { freePort } from '../../support/machine/spawn.ts';

interface Waiting {
  readonly url: string;
  readonly manager: SimServiceManager;
  /** Somebody stops the node. */
  end(): Promise<void>;
}

async function waitWith(code: FaultCode, message: string, port?: number): Promise<Waiting> {
  const place = { host: '127.0.0.1', port: port ?? (await freePort()), key: 'http.port' };
  const manager = new SimServiceManager();
  const stop = new AbortController();
  const io = { timers: machineTimers, signal: stop.signal };
  const machine = { manager, log: SILENT_LOG };
  const over = waitForPeople(new HubError(code, message), place, machine, io);
  return {
    url: `http://127.0.0.1:${place.port}/`,
    manager,
    end: () => {
      stop.abort();
      return over;
    },
  };
}

function reached(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return eventually(
    () => fetch(url, { headers }).catch(() => null),
    (answer) => answer !== null,
  ) as Promise<Response>;
}

test('a browser gets a page with the fault and its way out, which is no health', async () => {
  const waiting = await waitWith('data.read-only', 'the file system of <here> is read-only');
  const answer = await reached(waiting.url, { accept: 'text/html,*/*' });
  assert.equal(answer.status, 503);
  const page = await answer.text();
  assert.match(page, /the file system of &lt;here&gt; is read-only/);
  assert.match(page, /mount -o remount,rw/);
  assert.match(waiting.manager.said.join(), /STATUS=.*data\.read-only/);
  await waiting.end();
  await assert.rejects(fetch(waiting.url), 'the port is free for the next start');
});

test('a program gets a problem document, whatever it asks for', async () => {
  const waiting = await waitWith('keys.lost', 'gone');
  for (const path of ['healthz', 'api/v1/status']) {
    const answer = await reached(waiting.url + path);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    assert.match(((await answer.json()) as { detail: string }).detail, /^gone \(keys\.lost\)\. /);
  }
  await waiting.end();
});

test('where its port is taken it waits all the same', async () => {
  const first = await waitWith('keys.lost', 'gone');
  await reached(first.url);
  const second = await waitWith('data.away', 'away', Number(new URL(first.url).port));
  await second.end();
  await first.end();
  assert.match(second.manager.said.join(), /data\.away/);
});

test('what heals by itself is not waited for', async () => {
  const waiting = await waitWith('port.taken', 'taken');
  await waiting.end();
  assert.deepEqual(waiting.manager.said, []);
  await assert.rejects(fetch(waiting.url));
});
