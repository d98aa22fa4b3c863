/** The hub under a limit of open files that its devices alone would use up. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { test } from 'vitest';

import { eventually, getJson, type StatusView } from '../support/hubs/api.ts';
import { startHub } from '../support/hubs/hub.ts';
import { assertNothingLost } from '../support/hubs/nothing-lost.ts';
import { Publisher } from '../support/hubs/publisher.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const SMALL = ['journal.segment_mib=1', 'capture=[{filter="#",class="alarm"}]'];
const CLIENTS = 4;
const WINDOW = 10;

test('connections beyond them are turned away; the hub, and who is connected, go on', async () => {
  const data = tempDir();
  const under = ['sh', '-c', 'ulimit -n 160 && exec "$0" "$@"'];
  const hub = await startHub({ data, sets: SMALL, under });
  await hub.process.line(/hub\.open-files-few/);
  const publisher = new Publisher(8_192);
  await publisher.start(Number(new URL(hub.mqttUrl).port), CLIENTS, WINDOW);
  const crowd = [hub.mqttUrl, hub.httpUrl].flatMap((url) =>
    Array.from({ length: 150 }, () => dial(Number(new URL(url).port))),
  );
  await Promise.all(crowd.map(([, settled]) => settled));
  while (publisher.acknowledged.length < 500) await pause(5); // Several segments, each a file that has to be opened.
  publisher.stop();
  for (const [socket] of crowd) socket.destroy();
  const faults = async (): Promise<string[]> => {
    const status = await getJson<StatusView>(`${hub.httpUrl}api/v1/status`);
    return status.faults.map(({ code }) => code);
  };
  // Places that the crowd leaves are free when the hub has heard of it.
  const said = await eventually(
    () => faults().catch((): string[] => []),
    ({ length }) => length > 0,
  );
  assert.ok(said.includes('broker.full'));
  await assertNothingLost(hub, publisher);
});

/** A connection, and when it is known whether it found a place. */
function dial(port: number): [Socket, Promise<void>] {
  const socket = connect(port, '127.0.0.1');
  const settled = new Promise<void>((resolve) => {
    socket.once('connect', () => resolve());
    socket.once('error', () => resolve());
  });
  socket.on('error', () => undefined);
  return [socket, settled];
}
