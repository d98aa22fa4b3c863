/**
 * Which boot of the machine this is: moments of it, whichever process noted them, are told on one scale, so that a time
 * which comes later dates them all.
 */
import { crc32 } from 'node:zlib';

import { bootLine } from './files/kernel-files.ts';

export interface Boot {
  /** 32 bits, another one after every boot. */
  readonly id: number;
  /** From the boot to the moment 0 of this process's monotonic clock. */
  readonly beforeMs: number;
}

/** Undefined where the machine does not say. */
export function machineBoot(): Boot | undefined {
  const line = bootLine();
  if (line === undefined) return undefined;
  const sinceBootMs = Number(process.hrtime.bigint()) / 1e6;
  return { id: crc32(line), beforeMs: Math.round(sinceBootMs - performance.now()) };
}
