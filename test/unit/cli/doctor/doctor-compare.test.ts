/** `--url` and `--compare`: what the other side of the line is, and what its digest says of this one. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { EXIT } from '../../../../src/cli/io.ts';
import type { HttpClient } from '../../../../src/platform/network/http/http-client.ts';
import { sampleStatus } from '../../../support/made/status.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';

const REGION = { regionId: 'a1b2c3d4e5f60718', version: '1.2.3', sites: [] };
const digestOf = (letter: string, ops: number) => ({ digest: letter.repeat(64), ops, records: 0 });

/** Answers by the beginning of the address. */
function answering(answers: Readonly<Record<string, unknown>>): HttpClient {
  const none = (): never => assert.fail('only asked');
  const get = (url: string) => {
    const found = Object.entries(answers).find(([start]) => url.startsWith(start));
    return Promise.resolve({ status: 200, text: JSON.stringify(found?.[1]) });
  };
  return { get, post: none, exchange: none, follow: none };
}

const settled = sampleStatus({ faults: [] });
for (const waiting of Object.values(settled.backlog)) Object.assign(waiting, { ops: 0 });

interface Report {
  readonly sync: { readonly state: string; readonly also: readonly string[] };
  readonly checks: readonly { readonly name: string; verdict: string; readonly found: string }[];
}

async function compared(here: unknown, there: unknown, status: unknown = settled) {
  const http = answering({
    'http://hub/api/v1/status': status,
    'http://hub/api/v1/digest': here,
    'http://region/api/v1/digest': there,
  });
  const { stdout } = await new CliWorld().run(
    'doctor --json --url http://hub --compare http://region',
    { http },
  );
  const { sync, checks } = JSON.parse(stdout) as Report;
  const region = checks.find(({ name }) => name === 'region');
  return { states: [sync.state, ...sync.also], verdict: region?.verdict, found: region?.found };
}

describe('with everything receipted', () => {
  test('equal digests are the same state', async () => {
    const { verdict, states } = await compared(digestOf('a', 7), digestOf('a', 7));
    assert.equal(verdict, 'ok');
    assert.ok(!states.includes('diverged'));
  });

  test('other digests of as many ops are diverged, and so are ops that the region has lost', async () => {
    for (const there of [7, 6]) {
      const { verdict, states } = await compared(digestOf('a', 7), digestOf('b', there));
      assert.equal(verdict, 'wrong');
      assert.ok(states.includes('diverged'));
    }
  });

  test('what the region has beyond this hub makes neither side wrong', async () => {
    const { verdict, states, found } = await compared(digestOf('a', 7), digestOf('b', 8));
    assert.equal(verdict, 'skipped');
    assert.ok(!states.includes('diverged'));
    assert.match(found ?? '', /^the region has 1 op more than this hub: .*compare later$/);
  });

  test('what the region has lost for good, as the hub says itself, is no second reason', async () => {
    const fault = { message: 'class alarm through op 3', hint: '', since: '2026-03-01T00:00:00Z' };
    const status = { ...settled, faults: [{ code: 'uplink.forgotten', ...fault }] };
    const { verdict, states, found } = await compared(digestOf('a', 7), digestOf('b', 4), status);
    assert.equal(verdict, 'skipped');
    assert.ok(states.includes('forgotten upstream') && !states.includes('diverged'));
    assert.match(found ?? '', /lost ops that are not here any more/);
  });
});

test.each(['status', 'doctor'])('%s of a regional node says what it is', async (command) => {
  const http = answering({ 'http://region/': REGION });
  const { code, stderr } = await new CliWorld().run(`${command} --url http://region`, { http });
  assert.equal(code, EXIT.unreachable);
  assert.match(stderr, /^http:\/\/region is a regional node, not a hub/);
});
