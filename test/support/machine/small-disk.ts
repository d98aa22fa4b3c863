/** A really small file system for one test: a tmpfs, which only root may mount. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { onTestFinished } from 'vitest';

import { peer, testUnless } from './peers.ts';
import { tempDir } from './temp-dir.ts';

const BALLAST = new Uint8Array(4_096);

/** Mounts a file system of `mib` MiB; gone when the test has ended. */
export function smallDisk(mib: number): string {
  const dir = tempDir();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=700`, 'tmpfs', dir]);
  onTestFinished(() => {
    // Lazily: a process that is being ended may still hold a file.
    execFileSync('umount', ['--lazy', dir]);
  });
  return dir;
}

/** Not a byte is left. */
export function fillDisk(dir: string): void {
  const file = openSync(`${dir}/ballast`, 'a');
  try {
    for (;;) writeSync(file, BALLAST);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

/** As a kernel does with a card that fails. */
export function makeReadOnly(dir: string): void {
  execFileSync('mount', ['-o', 'remount,ro', dir]);
}

/** A test that mounts: skips with a clear word where that is not allowed, or fails where REQUIRE_PEERS=1. */
export function testWithMounts(title: string, run: () => Promise<void>): void {
  testUnless(whyNoMounts(), title, run);
}

function whyNoMounts(): string | undefined {
  const [mount, unshare] = [peer('mount'), peer('unshare')];
  if (mount === undefined || unshare === undefined) return 'needs mount and unshare';
  try {
    // In a mount namespace of its own, so that the trial leaves nothing behind.
    execFileSync(unshare, ['--mount', mount, '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs the right to mount';
  }
}
