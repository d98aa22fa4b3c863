/** What the kernel tells in files, below /proc and /sys. Where it does not tell, there is nothing: that is no fault. */
import { readdirSync, readFileSync } from 'node:fs';

/** Undefined where there is no such file, or where we may not read it. */
export function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Names in a folder; none where there is no such folder. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** What follows the name in a `/proc/<pid>/stat`, by spaces; the name itself may hold blanks and brackets. */
export function statFieldsAt(path: string): string[] | undefined {
  const stat = textAt(path);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** A line that is another one after every boot, its end included; undefined where the kernel has none. */
export function bootLine(): string | undefined {
  return textAt('/proc/sys/kernel/random/boot_id');
}
