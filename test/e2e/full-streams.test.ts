/** Where standard output and standard error lead to a full disk, or to a reader that is gone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished, test } from 'vitest';

import { MAIN } from '../support/hubs/hub.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

/** `node` with the words, by a shell that leads its streams as `redirections` say. */
function inShell(words: string, redirections: string) {
  const child = spawn('sh', [
    '-c',
    `exec "${process.execPath}" "${MAIN}" ${words} ${redirections}`,
  ]);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** It answers on its page, and ends in order when it is asked to. */
async function serves(hub: ReturnType<typeof inShell>, page: string, ended: Promise<unknown[]>) {
  assert.equal((await fetch(`${page}healthz`)).status, 200);
  hub.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
}

test.each(['a full disk', 'a reader that is gone'])(
  'a hub goes on where its log leads to %s',
  async (where) => {
    const words = `run --data "${tempDir()}" --set broker.port=0 --set http.port=0`;
    const hub = inShell(words, where === 'a full disk' ? '2> /dev/full' : '');
    hub.stderr.destroy();
    const ended = once(hub, 'exit');
    const lines = createInterface({ input: hub.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), ended])) as [unknown];
    const page = /http:\S+/.exec(String(line))?.[0] ?? assert.fail(`ended with ${String(line)}`);
    await serves(hub, page, ended);
  },
);

test.each(['a full disk', 'a reader that is gone'])(
  'a hub goes on where its line `ready` leads to %s',
  async (where) => {
    const words = `run --data "${tempDir()}" --set broker.port=0 --set http.port=0`;
    const hub = inShell(words, where === 'a full disk' ? '> /dev/full' : '');
    hub.stdout.destroy();
    const ended = once(hub, 'exit');
    let page: string | undefined;
    for await (const line of createInterface({ input: hub.stderr })) {
      page = /"hub.ready".*"http":"([^"]+)"/.exec(line)?.[1];
      if (page !== undefined) break;
    }
    assert.ok(page !== undefined, 'it has ended');
    await serves(hub, page, ended);
  },
);

test('a command whose output finds no room has failed, and says so', async () => {
  const config = inShell('config', '> /dev/full');
  let said = '';
  config.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  assert.deepEqual(await once(config, 'close'), [1, null]);
  assert.match(said, /^standard output takes no more: ENOSPC/);
});
