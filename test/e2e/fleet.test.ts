/** What the regional node shows of its hubs, from real hubs that send to it. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import type { FleetHub } from '../../src/status/region/fleet.ts';
import { eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { addUser, startHub, startRegional } from '../support/hubs/hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const AT_ONCE = 'capture=[{filter="#",class="alarm"}]';

interface FleetAnswer {
  readonly at: string;
  readonly hubs: readonly FleetHub[];
}

describe('the fleet', () => {
  test('a hub shows with its last word, and its log is one request away', async () => {
    const data = tempDir();
    const region = await startRegional({ data });
    const hub = await startHub({ data, sets: [`uplink.url=${region.mqttUrl}`, AT_ONCE] });
    const { hubId } = await getJson<{ hubId: string }>(`${hub.httpUrl}api/v1/status`);
    // The log never opens a session: it rides along with something that does.
    const afterOneMore = async (): Promise<FleetAnswer> => {
      await publishTo(hub.mqttUrl, 'one', 'one more');
      await uplinked(hub.httpUrl);
      return getJson<FleetAnswer>(`${region.httpUrl}api/v1/fleet`);
    };
    const { hubs } = await eventually(
      afterOneMore,
      (answer) => typeof answer.hubs[0]?.saidAt === 'string',
    );
    assert.equal(hubs.length, 1);
    const [{ site, hub: id, software, heardAt, state }] = hubs as [FleetHub];
    assert.deepEqual({ site, id, state }, { site: 'demo', id: hubId, state: 'normal' });
    assert.ok(software !== null && heardAt !== null);
    const log = await fetch(`${region.httpUrl}api/v1/log?site=demo&hub=${hubId}`);
    const lines = (await log.text()).trim().split('\n');
    assert.ok(lines.length > 0);
    for (const line of lines)
      assert.equal(typeof (JSON.parse(line) as { at: unknown }).at, 'string');
    const { readings } = await getJson<{ readings: { value: unknown }[] }>(
      `${region.httpUrl}api/v1/readings?site=demo&key=one`,
    );
    assert.equal(readings[0]?.value, 'one more');
    const page = await fetch(region.httpUrl);
    assert.match(await page.text(), /<title>Heliograph fleet<\/title>/);
  });

  test('in mode password it asks for a person', async () => {
    const data = tempDir();
    const password = await addUser(data, 'ana', 'operator');
    const sensor = await addUser(data, 'hub7', 'device');
    const region = await startRegional({ data, sets: ['security.mode=password'] });
    const ask = async (login: string): Promise<number> => {
      const headers = { authorization: `Basic ${btoa(login)}` };
      return (await fetch(`${region.httpUrl}api/v1/fleet`, { headers })).status;
    };
    assert.equal((await fetch(`${region.httpUrl}api/v1/fleet`)).status, 401);
    assert.equal(await ask(`ana:${password}`), 200);
    assert.equal(await ask('ana:wrong'), 401);
    assert.equal(await ask(`hub7:${sensor}`), 403);
    assert.equal((await fetch(`${region.httpUrl}healthz`)).status, 200);
  });
});
