/** What is left of a hub that was killed: nothing that runs. */
import { readFileSync } from 'node:fs';

import { startHub } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

testWithPeers('a hub that is killed takes its `ip monitor` along', ['ip'], async () => {
  // A network on which nothing happens: by itself it would stay.
  const sets = ['uplink.url=mqtt://127.0.0.1:9', 'peer.enabled=false'];
  const hub = await startHub({ data: tempDir(), sets });
  const monitor = await firstOf(() => childrenOf(hub.process.pid).find(isMonitor));
  hub.process.kill('SIGKILL');
  await hub.process.exited;
  await firstOf(() => !isMonitor(monitor) || undefined);
});

async function firstOf<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise(setImmediate);
  }
}

function isMonitor(pid: number): boolean {
  return /\bip\0.*\bmonitor\0/.test(textOf(`/proc/${pid}/cmdline`));
}

function childrenOf(pid: number): number[] {
  const text = textOf(`/proc/${pid}/task/${pid}/children`);
  return text.split(' ').filter(Boolean).map(Number);
}

/** Empty where the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
