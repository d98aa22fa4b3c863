/** Who may read a file: what a check of secrets needs, and no part of the hub does. */
import { chmodSync, statSync } from 'node:fs';

const OTHERS = 0o077;

/** Whether group or others may do anything with the file; undefined where it is not there or not ours to look at. */
export function isOpenToOthers(path: string): boolean | undefined {
  try {
    return (statSync(path).mode & OTHERS) !== 0;
  } catch {
    return undefined;
  }
}

/** Takes all rights from group and others. */
export function keepPrivate(path: string): void {
  chmodSync(path, statSync(path).mode & ~OTHERS & 0o7777);
}
