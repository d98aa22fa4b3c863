/** What a region may set, what is made of its wishes, and what a start makes of what was set. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { loadConfig } from '../../../src/config/config.ts';
import {
  judgeRemote,
  readRemoteConfig,
  REMOTE_KEYS,
  REMOTE_TRIES_MAX,
  type RemoteConfig,
  tryRemoteConfig,
  writeRemoteConfig,
} from '../../../src/config/remote.ts';
import { renderConfig } from '../../../src/config/render.ts';
import { SCHEMA } from '../../../src/config/schema.ts';

const REMOTE: RemoteConfig = {
  state: 'new',
  tries: 0,
  wished: { log_level: 'debug', data: '/' },
  values: { log_level: 'debug' },
  refused: [{ key: 'data', reason: 'may not be set by the region' }],
};

test('what is allowed and valid is taken, all else refused with its reason', () => {
  const { values, refused } = judgeRemote(
    {},
    {
      'power.capacity_wh': 512,
      'power.thresholds.bulk_pause_pct': 60,
      capture: [{ filter: 'alarms/#', class: 'alarm', keep: 'all' }],
      'uplink.quota_mib.satellite': 'much',
      'broker.port': 1884,
      'security.mode': 'open',
      'power.wattage': 3,
      'uplink.check_in_minutes': 0,
      log_level: 'chatty',
    },
  );
  assert.deepEqual(Object.keys(values), [
    'power.capacity_wh',
    'power.thresholds.bulk_pause_pct',
    'capture',
  ]);
  const reasons = Object.fromEntries(refused.map(({ key, reason }) => [key, reason]));
  assert.match(reasons['broker.port'] ?? '', /may not be set by the region/);
  assert.match(reasons['security.mode'] ?? '', /may not be set by the region/);
  assert.match(reasons['power.wattage'] ?? '', /may not be set by the region/);
  assert.match(reasons['uplink.quota_mib.satellite'] ?? '', /"much" is not allowed/);
  assert.match(reasons['uplink.check_in_minutes'] ?? '', /would not ask/);
  assert.match(reasons['log_level'] ?? '', /debug \| info/);
});

test('a row of rules that is wrong takes the rules with it, and nothing else', () => {
  const rules = [{ filter: 'sync/#', class: 'alarm' }];
  const { values, refused } = judgeRemote({}, { capture: rules, log_level: 'debug' });
  assert.deepEqual(values, { log_level: 'debug' });
  assert.equal(refused[0]?.key, 'capture');
});

test('who is on site has the last word', () => {
  const input = { sets: ['log_level=warn'], env: { HELIOGRAPH_POWER__PANEL_W: '80' } };
  const wished = { log_level: 'debug', 'power.panel_w': 100, 'power.capacity_wh': 300 };
  const { values, refused } = judgeRemote(input, wished);
  assert.deepEqual(values, { 'power.capacity_wh': 300 });
  assert.deepEqual(refused, [
    { key: 'log_level', reason: 'is set by --set' },
    { key: 'power.panel_w', reason: 'is set by HELIOGRAPH_POWER__PANEL_W' },
  ]);
});

test('it stands above the file, and says so where it is shown', () => {
  const file = { path: 'hub.toml', bytes: utf8('log_level = "warn"\nsite = "a"\n') };
  const outcome = loadConfig({ file, remote: { log_level: 'debug' } });
  assert.ok(outcome.kind === 'ok');
  assert.equal(outcome.config.logLevel, 'debug');
  const shown = renderConfig(outcome.config, outcome.sources);
  assert.match(shown, /Set by the region\.\nlog_level = "debug"/);
  assert.match(shown, /Set by hub\.toml:2\.\nsite = "a"/);
  assert.equal(loadConfig({ file: { path: 'x', bytes: utf8(shown) } }).kind, 'ok');
});

test('every key that may be set is one, and none of them opens, moves or cuts off a hub', () => {
  for (const key of REMOTE_KEYS) {
    const [first = '', second = ''] = key.split('.');
    const node = SCHEMA[first as keyof typeof SCHEMA] as { shape?: Record<string, unknown> };
    assert.ok(node !== undefined && (second === '' || node.shape?.[second] !== undefined), key);
    assert.doesNotMatch(key, /port|host|_file$|data|security|site|url|password|key|grant/);
  }
});

test('a start counts as a try; too many of them, and the hub goes on without', () => {
  let remote = readRemoteConfig(writeRemoteConfig(REMOTE));
  assert.deepEqual(remote && { ...remote, format: undefined }, { ...REMOTE, format: undefined });
  for (let tries = 1; tries <= REMOTE_TRIES_MAX; tries++) {
    remote = tryRemoteConfig(remote as RemoteConfig);
    assert.deepEqual([remote.state, remote.tries], ['new', tries]);
  }
  remote = tryRemoteConfig(remote as RemoteConfig);
  assert.equal(remote.state, 'failed');
  assert.deepEqual(remote.values, {});
  assert.deepEqual(remote.wished, REMOTE.wished, 'and it does not begin again');
  assert.match(remote.refused.at(-1)?.reason ?? '', /did not come up/);
  assert.deepEqual(tryRemoteConfig({ ...REMOTE, state: 'good' }).tries, 0);
});

test('a file that is none of ours is none', () => {
  for (const text of ['', '{', '[]', 'null', '{"format":2,"values":{}}']) {
    assert.equal(readRemoteConfig(utf8(text)), undefined, text);
  }
});
