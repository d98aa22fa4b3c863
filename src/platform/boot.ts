/**
 * Which boot of the machine this is: moments of it, whichever process noted them, are told on one scale, so that a time
 * which comes later dates them all.
 */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

export interface Boot {
  /** 32 bits, another one after every boot. */
  readonly id: number;
  /** From the boot to the moment 0 of this process's monotonic clock. */
  readonly beforeMs: number;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Undefined where the machine does not say. */
export function machineBoot(): Boot | undefined {
  try {
    const id = crc32(readFileSync(BOOT_ID));
    return { id, beforeMs: Math.round(Number(process.hrtime.bigint()) / 1e6 - performance.now()) };
  } catch {
    return undefined;
  }
}
