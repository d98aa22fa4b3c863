/**
 * Files of people and devices are changed by commands and by the running hub, several at a time where somebody types them in a
 * loop: each change reads what is there anew, and holds the lock of a folder meanwhile.
 */
import { pause, type Timers } from '../base/clock.ts';
import { HubError } from '../base/errors.ts';
import type { DirectoryLock, Files } from '../platform/files/files.ts';

export interface WriterMachine {
  readonly files: Pick<Files, 'makeDir' | 'lockDir'>;
  readonly timers: Timers;
}

/** A change takes milliseconds; so many of them have their turn. */
const LOCK_TRIES = 200;
const LOCK_WAIT_MS = 50;

/** Throws what `change` throws, and `data.locked` where others write for too long. */
export async function asOnlyWriter<T>(
  dir: string,
  machine: WriterMachine,
  change: () => T,
): Promise<T> {
  machine.files.makeDir(dir);
  const lock = await lockOf(dir, machine);
  try {
    return change();
  } finally {
    lock.release();
  }
}

async function lockOf(dir: string, { files, timers }: WriterMachine): Promise<DirectoryLock> {
  for (let tries = 1; ; tries++) {
    try {
      return files.lockDir(dir);
    } catch (error) {
      const isBusy = error instanceof HubError && error.code === 'data.locked';
      if (!isBusy || tries >= LOCK_TRIES) throw error;
    }
    await pause(timers, LOCK_WAIT_MS);
  }
}
