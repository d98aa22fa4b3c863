/** The disk of the data goes, or takes no write: nothing acknowledged is lost, no other hub begins, and people see why. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { onTestFinished } from 'vitest';

import { eventually } from '../support/hubs/api.ts';
import { heliograph, startHub } from '../support/hubs/hub.ts';
import { assertNothingLost } from '../support/hubs/nothing-lost.ts';
import { Publisher } from '../support/hubs/publisher.ts';
import { makeReadOnly, smallDisk, testWithMounts } from '../support/machine/small-disk.ts';
import { freePort, type Spawned } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const SETS = ['journal.segment_mib=1', 'journal.linger_ms.telemetry=0'];
/** As below systemd, which nobody hears here. */
const MANAGED = { NOTIFY_SOCKET: '/dev/null' };

/** A start that cannot succeed; what its page says. */
async function waitingPage(
  data: string,
  sets: readonly string[] = [],
): Promise<{ readonly page: string; readonly hub: Spawned }> {
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  const all = [...SETS, ...sets, `broker.port=${mqttPort}`, `http.port=${httpPort}`];
  const flags = all.flatMap((set) => ['--set', set]);
  const hub = heliograph(['run', '--data', data, ...flags], MANAGED);
  await hub.line(/node\.waits/);
  const url = `http://127.0.0.1:${httpPort}/`;
  const answer = await eventually(
    () => fetch(url).catch(() => null),
    (it) => it !== null,
  );
  assert.equal(answer?.status, 503);
  const device = connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { reconnectPeriod: 0 });
  await assert.rejects(device, /ECONNREFUSED/);
  return { page: await answer.text(), hub };
}

testWithMounts(
  'unmounted below a hub, it waits for its disk and goes on with all of it',
  async () => {
    const [disk, data] = [tempDir(), tempDir()];
    const mount = (): void => void execFileSync('mount', ['--bind', disk, data]);
    const unmount = (): void => void execFileSync('umount', ['--lazy', data]);
    const mqttPort = await freePort();
    const sets = [...SETS, `data_note=${tempDir()}/hub`];
    mount();
    const hub = await startHub({ data, sets, mqttPort });
    const publisher = new Publisher();
    await publisher.start(mqttPort, 4, 10);
    await eventually(
      () => Promise.resolve(publisher.acknowledged.length),
      (count) => count > 100,
    );
    unmount();
    assert.equal(await hub.process.exited, 1);
    publisher.stop();
    assert.match(hub.process.lines.join('\n'), /journal\.poisoned/);

    const before = readdirSync(data);
    const { page, hub: waiting } = await waitingPage(data, sets);
    assert.match(page, /data\.away/);
    await waiting.stop();
    assert.deepEqual(readdirSync(data), before, 'nothing began in the folder below');

    mount();
    onTestFinished(unmount);
    const back = await startHub({ data, sets, mqttPort });
    await assertNothingLost(back, publisher);
  },
);

testWithMounts(
  'on a read-only disk the page says so, and with a writable one the hub goes on',
  async () => {
    const disk = smallDisk(48);
    const data = `${disk}/data`;
    mkdirSync(data);
    const first = await startHub({ data, sets: SETS });
    await first.process.stop();
    const asked = { log_level: 'info' };
    const remote = { format: 1, state: 'new', tries: 0, wished: asked, values: asked, refused: [] };
    writeFileSync(`${data}/config-remote.json`, JSON.stringify(remote)); // A start with it counts as a try.
    makeReadOnly(disk);
    const { page, hub } = await waitingPage(data);
    assert.match(page, /data\.read-only/);
    await hub.stop();
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    await startHub({ data, sets: SETS });
  },
);
