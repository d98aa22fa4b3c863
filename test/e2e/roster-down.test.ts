/** Mode `enrolled`: a new roster reaches the other hubs of the site by the region alone. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'vitest';

import { eventually } from '../support/hubs/api.ts';
import { heliograph, type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Login {
  readonly username: string;
  readonly password: string;
}

async function enrol<T>(data: string, ...args: string[]): Promise<T> {
  const command = heliograph(['enrol', ...args, '--data', data, '--json']);
  const line = await command.line(/^\{/);
  assert.equal(await command.exited, 0, command.lines.join('\n'));
  return JSON.parse(line) as T;
}

/** An alarm opens a session. */
function wake({ mqttUrl }: RunningHub, login: Login): Promise<void> {
  return publishTo(mqttUrl, `devices/${login.username}/wake`, String(Date.now()), login);
}

test('who is enrolled at the authority may soon come in at every hub, and who is revoked may not', async () => {
  const data = [tempDir(), tempDir()] as const;
  const region = await startRegional({ data: tempDir() });
  const sets = [
    'security.mode=enrolled',
    `uplink.url=${region.mqttUrl}`,
    'capture=[{filter="#",class="alarm"}]',
  ];
  const first = await startHub({ data: data[0], sets });
  const device = (name: string): Promise<Login> =>
    enrol<Login>(data[0], 'device', name, '--password');
  const ana = { username: 'ana', password: (await device('ana')).password };
  const { link } = await enrol<{ link: string }>(data[0], 'token', 'hub-2', '--hub');
  const joined = heliograph(['enrol', 'join', link, '--data', data[1]]);
  assert.equal(await joined.exited, 0, joined.lines.join('\n'));
  const second = await startHub({ data: data[1], sets });
  const rosterOf = (dir: string): Buffer => readFileSync(join(dir, 'enrol/roster.cbor'));
  const isTold = async (): Promise<boolean> => {
    await wake(first, ana);
    await wake(second, ana);
    await pause(500);
    return rosterOf(data[0]).equals(rosterOf(data[1]));
  };
  const ben = { username: 'ben', password: (await device('ben')).password };
  await eventually(isTold, (it) => it);
  await second.process.line(/security\.roster-changed/);
  await wake(second, ben);
  await heliograph(['enrol', 'revoke', 'ben', '--data', data[0]]).exited;
  await eventually(isTold, (it) => it);
  await eventually(
    () => wake(second, ben).catch(() => 'refused'),
    (outcome) => outcome === 'refused',
  );
});
