/** Three real hubs in a line: devices at each, a partition, a kill, and in the end the same state everywhere. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';

import { connectAsync } from 'mqtt';
import { describe, test } from 'vitest';

import { type Digest, eventually, getJson } from '../support/hubs/api.ts';
import { damage } from '../support/hubs/damage.ts';
import {
  addUser,
  heliograph,
  type HubOptions,
  type RunningHub,
  startHub,
} from '../support/hubs/hub.ts';
import { freePort } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const SMALL = ['journal.segment_mib=1', 'journal.total_mib_max=16'];

function dialling(...addresses: string[]): string[] {
  return ['peer.enabled=true', `peer.addresses=${JSON.stringify(addresses)}`, ...SMALL];
}

async function publish(hub: RunningHub, topic: string, count: number): Promise<void> {
  const client = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
  for (let i = 0; i < count; i++) await client.publishAsync(topic, `${i}`, { qos: 1 });
  await client.endAsync();
}

const digestOf = (hub: RunningHub): Promise<Digest> =>
  getJson<Digest>(`${hub.httpUrl}api/v1/digest`);

/** Waits until all hubs hold `ops` ops, in one state. */
async function converged(hubs: readonly RunningHub[], ops: number): Promise<void> {
  await eventually(
    () => Promise.all(hubs.map((hub) => digestOf(hub))),
    (digests) => digests.every((it) => it.ops === ops && it.digest === digests[0]?.digest),
  );
}

describe('three hubs in a line', () => {
  test('hold the same, through a partition, a kill and a restart', async () => {
    const data = [tempDir(), tempDir(), tempDir()] as const;
    const [portA, portB] = [await freePort(), await freePort()];
    const start = (at: 0 | 1 | 2, sets: string[], mqttPort?: number): Promise<RunningHub> =>
      startHub({ data: data[at], sets, ...(mqttPort === undefined ? {} : { mqttPort }) });
    const a = await start(0, dialling(), portA);
    const b = await start(1, dialling(`mqtt://127.0.0.1:${portA}`), portB);
    const c = await start(2, dialling(`mqtt://127.0.0.1:${portB}`));
    await publish(a, 'site/a', 20);
    await publish(b, 'site/b', 20);
    await publish(c, 'site/c', 20);
    await converged([a, b, c], 60);

    // Without the hub in the middle the ends are apart; what they take meanwhile waits.
    b.process.kill('SIGKILL');
    await b.process.exited;
    await publish(a, 'site/a', 10);
    await publish(c, 'site/c', 10);
    assert.equal((await digestOf(a)).ops, 70);
    const again = await start(1, dialling(`mqtt://127.0.0.1:${portA}`), portB);
    await converged([a, again, c], 80);

    // All ops are there a moment before both lines know it of each other.
    const { peers } = await eventually(
      () => getJson<{ peers: { state: string; hubId: string }[] }>(`${again.httpUrl}api/v1/status`),
      (status) => status.peers.every(({ state }) => state === 'synced'),
    );
    assert.equal(peers.length, 2);
    assert.equal(new Set(peers.map(({ hubId }) => hubId)).size, 2);
  });
});

describe('a card that lost acknowledged entries', () => {
  test('gets them back from the other hub, and the states are equal again', async () => {
    const data = [tempDir(), tempDir()] as const;
    const port = await freePort();
    const first = await startHub({ data: data[0], mqttPort: port, sets: dialling() });
    const sets = dialling(`mqtt://127.0.0.1:${port}`);
    const second = await startHub({ data: data[1], sets });
    await publish(second, 'site/b', 40);
    // What had come from the other hub is lost like what was made here.
    await publish(first, 'site/a', 40);
    await converged([first, second], 80);
    await second.process.stop();
    damage(`${data[1]}/journal`, [0, 0.1, 0.3, 0.5, 0.7, 0.8]);
    rmSync(`${data[1]}/state.db`);

    // Alone, the hub knows what it has lost and can do nothing about it.
    const alone = await startHub({ data: data[1], sets: SMALL });
    assert.ok((await digestOf(alone)).ops < 80);
    await alone.process.stop();
    const again = await startHub({ data: data[1], sets });
    await again.process.line(/journal\.holes/);
    await converged([first, again], 80);
  });
});

describe('a hub that comes to a site late', () => {
  test('takes over the state of one that has let go of its ops, through a kill in the midst of it', async () => {
    const data = [tempDir(), tempDir()] as const;
    const port = await freePort();
    const released = [...dialling(), 'journal.keep_days=0'];
    const first = await startHub({ data: data[0], mqttPort: port, sets: released });
    await publishLarge(first, 3_000);
    await first.process.line(/journal\.released/);
    const sets = dialling(`mqtt://127.0.0.1:${port}`);
    const young = await startHub({ data: data[1], sets });
    await publish(young, 'site/young', 5);
    await young.process.line(/peer\.state-begins/);
    young.process.kill('SIGKILL');
    await young.process.exited;

    const again = await startHub({ data: data[1], sets });
    // Where the test itself was held up, the first run may have come to the end.
    const isTaken = young.process.lines.some((line) => line.includes('peer.state-taken'));
    if (!isTaken) await again.process.line(/peer\.state-taken/);
    await converged([first, again], 3_005);
    await publish(first, 'site/after', 5);
    await converged([first, again], 3_010);
    const { faults } = await getJson<{ faults: { code: string }[] }>(
      `${first.httpUrl}api/v1/status`,
    );
    assert.equal(
      faults.some(({ code }) => code === 'peer.stuck'),
      false,
    );

    // What was taken over lies in the journal: a lost state database is folded anew from there.
    await again.process.stop();
    rmSync(`${data[1]}/state.db`);
    const rebuilt = await startHub({ data: data[1], sets });
    await converged([first, rebuilt], 3_010);
  });
});

/** On many topics, more than two segments of the journal. */
async function publishLarge(hub: RunningHub, count: number): Promise<void> {
  const client = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
  const payload = 'x'.repeat(1_000);
  for (let from = 0; from < count; from += 500) {
    const some = Array.from({ length: 500 }, (_, at) => `site/m/${from + at}`);
    await Promise.all(some.map((topic) => client.publishAsync(topic, payload, { qos: 1 })));
  }
  await client.endAsync();
}

describe('who counts as a hub', () => {
  test('in mode password a user of role operator, and nobody below', async () => {
    const data = tempDir();
    const files = tempDir();
    const port = await freePort();
    const first = await startHub({
      data,
      mqttPort: port,
      sets: ['security.mode=password', ...dialling()],
    });
    const options = async (role: string): Promise<HubOptions> => {
      const name = `hub-${role}`;
      const passwordFile = `${files}/${role}`;
      writeFileSync(passwordFile, await addUser(data, name, role));
      await first.process.line(/security\.users-changed/);
      const login = [`peer.username=${name}`, `peer.password_file=${passwordFile}`];
      return { data: tempDir(), sets: [...dialling(`mqtt://127.0.0.1:${port}`), ...login] };
    };
    const stranger = await startHub(await options('supervisor'));
    await publish(stranger, 'site/x', 3);
    await first.process.line(/peer\.stranger/);
    const friend = await startHub(await options('operator'));
    await publish(friend, 'site/y', 4);
    await friend.process.line(/peer\.known/);
    await eventually(
      () => opsIn(data),
      (ops) => ops.filter((topic) => topic === 'site/y').length === 4,
    );
    assert.equal((await opsIn(data)).includes('site/x'), false);
  });

  test('in mode enrolled the hubs of the roster, and the roster comes along', async () => {
    const data = [tempDir(), tempDir()] as const;
    const ports = [await freePort(), await freePort()] as const;
    const sets = (at: 0 | 1, ...more: string[]): string[] => [
      'security.mode=enrolled',
      `broker.tls_port=${ports[at]}`,
      ...more,
    ];
    const first = await startHub({ data: data[0], sets: sets(0, ...dialling()) });
    const token = heliograph(['enrol', 'token', 'hub-2', '--hub', '--json', '--data', data[0]]);
    const { link } = JSON.parse(await token.line(/^\{/)) as { link: string };
    const joined = heliograph(['enrol', 'join', link, '--data', data[1]]);
    assert.equal(await joined.exited, 0, joined.lines.join('\n'));
    const address = `mqtts://127.0.0.1:${ports[0]}`;
    const second = await startHub({ data: data[1], sets: sets(1, ...dialling(address)) });
    await second.process.line(/peer\.known/);
    const enrol = heliograph(['enrol', 'device', 'ana', '--password', '--json', '--data', data[0]]);
    const { password } = JSON.parse(await enrol.line(/^\{/)) as { password: string };
    await second.process.line(/security\.roster-changed/);
    const ana = await connectAsync(second.mqttUrl, { username: 'ana', password });
    await ana.publishAsync('devices/ana/x', '1', { qos: 1 });
    await ana.endAsync();
    await eventually(
      () => opsIn(data[0]),
      (ops) => ops.includes('devices/ana/x'),
    );
    const revoke = heliograph(['enrol', 'revoke', 'hub-2', '--data', data[0]]);
    assert.equal(await revoke.exited, 0);
    await second.process.line(/peer\.(ended|unreachable)/);
    await first.process.line(/no longer admitted/);
  });
});

/** Topics of the ops in a hub's journal. */
async function opsIn(data: string): Promise<string[]> {
  const dump = heliograph(['journal', 'dump', '--json', '--data', data]);
  await dump.exited;
  return dump.lines.flatMap((line) => {
    const { key } = JSON.parse(line) as { key?: string };
    return key === undefined ? [] : [key];
  });
}
