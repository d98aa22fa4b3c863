/** What an auditor does: keeps a proof and a checkpoint, comes back, and asks the hub to show that its history goes on from there. */
import assert from 'node:assert/strict';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import { eventually } from '../support/hubs/api.ts';
import { heliograph, type RunningHub, startHub } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

async function publish({ mqttPort }: RunningHub, ...payloads: readonly string[]): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${mqttPort}`);
  for (const payload of payloads) await client.publishAsync('meters/1', payload, { qos: 1 });
  await client.endAsync();
}

async function text({ httpUrl }: RunningHub, path: string): Promise<string> {
  return (await fetch(`${httpUrl}${path}`)).text();
}

/** The checkpoint of telemetry, as soon as it has so many ops. */
const checkpointOf = (hub: RunningHub, ops: number): Promise<string> =>
  eventually(
    () => text(hub, 'log/checkpoint'),
    (note) => note.split('\n')[1] === String(ops),
  );

async function run(...args: readonly string[]): Promise<{ output: string; code: unknown }> {
  const process = heliograph(args);
  const code = await process.exited;
  return { output: process.lines.map((line) => `${line}\n`).join(''), code };
}

test('an op and a history are proven without the hub; a hub that was put back to an older card cannot hide it', async () => {
  const [data, image, dir] = [tempDir(), tempDir(), tempDir()];
  const file = (name: string, content: string): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const first = await startHub({ data });
  await publish(first, '{"w":1}', '{"w":2}', '{"w":3}');
  const note = await checkpointOf(first, 3);
  const early = file('early', note);
  const key = file('key', await text(first, 'log/key'));
  await first.process.stop();
  cpSync(data, image, { recursive: true });

  const second = await startHub({ data });
  await publish(second, '{"w":4}', '{"w":5}');
  const late = file('late', await checkpointOf(second, 5));
  const hub = note.split('/')[1];
  const url = ['--url', second.httpUrl];
  const op = file('op', (await run('proof', `${hub}/telemetry/4`, ...url)).output);
  const now = file('now', (await run('proof', 'since', early, ...url)).output);
  const between = file('between', (await run('proof', 'since', early, late, ...url)).output);
  await second.process.stop();

  const verify = (name: string, ...more: readonly string[]): ReturnType<typeof run> =>
    run('proof', 'verify', name, '--key', key, ...more);
  assert.match((await verify(op)).output, /^Proven: op \w+\/telemetry\/4 is number 3 of the 5 /);
  for (const history of [now, between]) {
    const { output, code } = await verify(history, '--since', early);
    assert.match(output, /^Proven: \S+telemetry with 5 ops begins with the 3 /);
    assert.equal(code, 0);
  }
  const json = await verify(between, '--since', early, '--json');
  const log = `heliograph/${hub}/telemetry`;
  assert.deepEqual(JSON.parse(json.output), { proven: true, log, oldSize: 3, size: 5 });
  assert.equal((await verify(now)).code, 2, 'since what?');
  assert.equal((await verify(op, '--since', early)).code, 2);

  // The old card again: what was number 4 and 5 is something else now.
  rmSync(data, { recursive: true });
  cpSync(image, data, { recursive: true });
  const third = await startHub({ data });
  const short = await run('proof', 'since', late, '--url', third.httpUrl);
  assert.equal(short.code, 1);
  assert.match(short.output, /does not go from 5 ops/);
  await publish(third, '{"w":40}', '{"w":50}', '{"w":60}');
  await checkpointOf(third, 6);
  // A proof that it has still the ops of `op`, whose file holds a checkpoint, too.
  const hidden = await run('proof', 'since', op, '--url', third.httpUrl);
  const { output, code } = await verify(file('hidden', hidden.output), '--since', op);
  assert.match(output, /^This proves nothing: 6 ops do not begin with the 5 /);
  assert.equal(code, 1);
});
