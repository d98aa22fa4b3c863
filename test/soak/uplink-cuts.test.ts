/**
 * 20 MB that do not compress, over a link through Mosquitto that is cut at random bytes: everything arrives, and how
 * much crosses the link in all: hardly more than it must, with a cut every 200 KB (100 of them) and with one every 20 KB (1,000).
 * Counted is the payload of TCP, without TLS.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';

import { onTestFinished } from 'vitest';

import { deliverOverCuts } from '../support/hubs/cut-link.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { freePort, spawnProcess } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const BACKLOG_BYTES = 20_000_000;

async function startMosquitto(program: string): Promise<number> {
  const dir = tempDir();
  const port = await freePort();
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'max_queued_messages 0'];
  writeFileSync(`${dir}/m.conf`, `${lines.join('\n')}\n`);
  const broker = spawnProcess(program, ['-c', `${dir}/m.conf`, '-v']);
  await broker.line(/running/);
  onTestFinished(() => void broker.stop());
  return port;
}

for (const { cutsMax, ratioMax, seed } of [
  { cutsMax: 100, ratioMax: 1.06, seed: 7 },
  { cutsMax: 1_000, ratioMax: 1.09, seed: 7 },
  { cutsMax: 1_000, ratioMax: 1.09, seed: 11 },
]) {
  testWithPeers(
    `${cutsMax} cuts within 20 MB cost less than ${ratioMax} times a clean transfer, seed ${seed}`,
    ['mosquitto'],
    async ([mosquitto = '']) => {
      const backlog = { backlogBytes: BACKLOG_BYTES, cutsMax, seed };
      const clean = await deliverOverCuts({
        ...backlog,
        port: await startMosquitto(mosquitto),
        bytesBetweenCuts: undefined,
      });
      assert.ok(clean.bytes < BACKLOG_BYTES * 1.02, `${clean.bytes} bytes without a cut`);
      const cut = await deliverOverCuts({
        ...backlog,
        port: await startMosquitto(mosquitto),
        bytesBetweenCuts: BACKLOG_BYTES / cutsMax,
      });
      const ratio = cut.bytes / clean.bytes;
      console.log(
        `${cut.cuts} cuts: ${cut.bytes} bytes, ${ratio.toFixed(3)} times a clean transfer`,
        cut.byKind,
      );
      assert.ok(cut.cuts > cutsMax / 2, `${cut.cuts} cuts`);
      assert.ok(ratio < ratioMax, `${ratio}`);
    },
  );
}
