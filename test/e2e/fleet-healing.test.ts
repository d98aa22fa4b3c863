/** What a card has lost comes back from a fleet of workers on one PostgreSQL, one of which dies while it is asked for. */
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { type Digest, eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { damage, forgetState, healthOf, opsIn, publish } from '../support/hubs/damage.ts';
import { openDevice, whenSettled } from '../support/hubs/devices.ts';
import { openFleet } from '../support/hubs/fleet-world.ts';
import { startHub } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const RULES =
  'capture=[{filter="alarms/#",class="alarm"},{filter="work/#",class="record"},{filter="#",class="telemetry"}]';

testWithPeers(
  'a hub whose card lost receipted entries gets the very bytes from whichever worker is there',
  ['mosquitto', 'postgres', 'initdb'],
  async ([mosquitto = '']) => {
    const [data, devices] = [tempDir(), tempDir()];
    const { port, start } = await openFleet(mosquitto);
    const workers = [await start(0), await start(1)];
    const sets = [`uplink.url=mqtt://127.0.0.1:${port}`, RULES, 'journal.segment_mib=1'];
    const first = await startHub({ data, sets });
    const meterAt = { url: first.mqttUrl, dir: join(devices, 'meter'), name: 'meter' };
    const meter = await openDevice(meterAt);
    for (let n = 0; n < 20; n++) await meter.record('work/9').set({ n });
    await publish(first, ['meters/1', 'alarms/smoke', 'work/7'], 300);
    // Of this lane nothing is left: it is in no class that flows down, so its device has to tell of it.
    for (let n = 0; n < 5; n++) await meter.event('meters/9', `${n}`);
    await meter.close();
    await uplinked(first.httpUrl);
    const digestOf = (at: string, query = ''): Promise<Digest> =>
      getJson<Digest>(`${at}api/v1/digest${query}`);
    const before = await digestOf(first.httpUrl);
    await first.process.stop();
    const { ops, lastLsn } = await opsIn(data);

    const shares = [0, 0.2, 0.4, ...Array.from({ length: 20 }, (_, at) => 0.8 + at / 100)];
    damage(`${data}/journal`, shares, lastLsn);
    forgetState(data);
    const { ops: left } = await opsIn(data);
    const lost = [...ops].filter(([name]) => !left.has(name));
    const isReading = ([name]: readonly [string, string]): boolean =>
      name.startsWith(meter.status.origin) && name.includes('/telemetry/');
    assert.equal(lost.filter(isReading).length, 5, 'the lane is gone as a whole');

    const again = await startHub({ data, sets });
    await again.process.line(/journal\.damaged|journal\.holes/);
    workers[0]?.process.kill('SIGKILL');
    await workers[0]?.process.exited;
    await eventually(
      () => healthOf(again),
      ({ journal }) => journal.quarantined.length === 0 && journal.healing.lackedOps === 0,
    );
    const back = await openDevice({ ...meterAt, url: again.mqttUrl });
    await whenSettled(back);
    await eventually(
      () => digestOf(again.httpUrl),
      ({ digest, ops: folded }) => digest === before.digest && folded === before.ops,
    );
    const { httpUrl = '' } = workers[1] ?? {};
    assert.equal((await digestOf(httpUrl, '?site=demo')).digest, before.digest);
    await back.close();
    await uplinked(again.httpUrl);
    await again.process.stop();
    const { ops: after } = await opsIn(data);
    assert.deepEqual(
      lost.filter(([name, op]) => after.get(name) !== op),
      [],
    );
  },
);
