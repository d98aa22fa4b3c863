/** A process whose parent never asks how it ended: killed, it stays in the kernel's table. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { eventually } from '../hubs/api.ts';

export interface DeafChild {
  readonly pid: number;
  /** Resolves when it has ended. */
  kill(): Promise<void>;
  /** Ends its parent, too. */
  close(): void;
}

export async function childOfDeafParent(): Promise<DeafChild> {
  // What the shell becomes asks after no children.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60']);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  const nameOf = async (): Promise<string> => readFileSync(`/proc/${parent.pid}/comm`, 'latin1');
  await eventually(nameOf, (name) => name === 'sleep\n');
  return {
    pid,
    kill: async () => {
      process.kill(pid, 'SIGKILL');
      await eventually(
        async () => statOf(pid)[0],
        (state) => state === 'Z',
      );
    },
    close: () => void parent.kill('SIGKILL'),
  };
}

/** What the kernel tells of a process, from its state on (field 3). */
export function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
