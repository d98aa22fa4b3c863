/** Settings from the region, by the commands that people type: taken, refused with the reason, shown, and taken back. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { heliograph, type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Reports {
  readonly hubs: readonly {
    readonly hub: string;
    readonly set: Readonly<Record<string, unknown>>;
    readonly refused: readonly { readonly key: string; readonly reason: string }[];
  }[];
}

async function command(...args: readonly string[]): Promise<string> {
  const run = heliograph(args);
  await run.exited;
  return run.lines.join('\n');
}

/** Has the hub open a session. One whose session was still open may be starting anew already, and needs no waking. */
async function wake(hub: RunningHub, word: string): Promise<void> {
  try {
    await publishTo(hub.mqttUrl, 'wake', word);
  } catch (error) {
    assert.match(String(error), /ECONNREFUSED|ECONNRESET|closed|couldn't connect/i);
  }
}

test('a hub takes what it may, starts anew with it by itself, and says what it made of it', async () => {
  const [regionData, data] = [tempDir(), tempDir()];
  const region = await startRegional({ data: regionData });
  const { port } = new URL(region.mqttUrl);
  const sets = [`uplink.url=mqtt://127.0.0.1:${port}`, 'capture=[{filter="#",class="alarm"}]'];
  const first = await startHub({ data, sets });
  await wake(first, 'first');
  await uplinked(first.httpUrl);
  const { hubId } = await getJson<{ hubId: string }>(`${first.httpUrl}api/v1/status`);
  const at = ['--site', 'demo', '--data', regionData];
  const refused = await command('regional', 'config', ...at, '--field', 'broker.port=1');
  assert.match(refused, /may not be set from afar/);
  const fields = ['log_level="debug"', 'power.capacity_wh=512', 'capture=[]'];
  const args = fields.flatMap((field) => ['--field', field]);
  assert.match(await command('regional', 'config', ...at, ...args), /is stored here/);
  await wake(first, 'second');

  // It ends and begins within its process, on new ports here; its command says which.
  const again = await eventually(
    async () => first.process.lines.filter((line) => line.startsWith('ready ')),
    (lines) => lines.length === 2,
  );
  const httpUrl = /http:\/\/\S+/.exec(again[1] ?? '')?.[0] ?? '';
  const mqttUrl = /mqtt:\/\/\S+/.exec(again[1] ?? '')?.[0] ?? '';
  const second = { ...first, httpUrl, mqttUrl };
  assert.match(await command('config', '--data', data), /Set by the region\.\ncapacity_wh = 512/);

  const asked = async (): Promise<Reports> => {
    await wake(second, 'again');
    return getJson<Reports>(`${region.httpUrl}api/v1/config?site=demo`);
  };
  const { hubs } = await eventually(asked, (answer) => answer.hubs.length > 0);
  assert.equal(hubs[0]?.hub, hubId);
  assert.deepEqual(hubs[0].set, { log_level: 'debug', 'power.capacity_wh': 512 });
  assert.deepEqual(hubs[0].refused, [{ key: 'capture', reason: 'is set by --set' }]);
  assert.match(await command('regional', 'config', ...at), /capture refused: is set by --set/);

  const unset = ['--unset', 'log_level', '--unset', 'power.capacity_wh', '--unset', 'capture'];
  await command('regional', 'config', ...at, ...unset);
  await wake(second, 'third');
  await eventually(
    async () => first.process.lines.filter((line) => line.startsWith('ready ')),
    (lines) => lines.length === 3,
  );
  assert.doesNotMatch(await command('config', '--data', data), /Set by the region/);
});
