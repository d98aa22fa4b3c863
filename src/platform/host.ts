/**
 * Figures of the machine and of processes on it, from node:os and a few files of /proc and /sys. A figure
 * that this machine does not give is absent, never 0. (systeminformation reads the same files, for 10 MB
 * of memory and 60 ms of every start, ten times that from a cold card.) The simulated twin is sim/host.ts.
 */
import { statfsSync } from 'node:fs';
import { freemem, hostname, networkInterfaces, totalmem } from 'node:os';
import { join } from 'node:path';

import { systemCode } from '../base/errors.ts';
import { namesIn, statFieldsAt, textAt } from './files/kernel-files.ts';

export interface HostFigures {
  readonly memoryBytes: number;
  /** What programs can still get, caches included. */
  readonly memoryFreeBytes: number;
  readonly diskBytes: number;
  /** What a normal user can still write below the folder asked for. */
  readonly diskFreeBytes: number;
  readonly cpuTempC?: number;
}

export interface ProcessFigures {
  readonly rssBytes: number;
  /** The most it ever was, where the system keeps count. */
  readonly rssPeakBytes?: number;
  /** User and system time since its start. */
  readonly cpuS: number;
  /** Bytes it caused to be written to the medium, file system's own share included. */
  readonly writtenBytes?: number;
}

export interface Host {
  /** `dir` tells which disk is meant. */
  figures(dir: string): HostFigures;
  /** Of this process, or of `pid`; undefined where there is no such process, or no way to look into it. */
  processFigures(pid?: number): ProcessFigures | undefined;
  /** How many files and connections this process may have open; Infinity where nobody says. */
  openFilesMax(): number;
  /** What others on the network may call this machine: host names and addresses, its own loopback included. */
  names(): string[];
}

/** Where to look; a test may point elsewhere. */
interface HostPaths {
  readonly proc: string;
  readonly thermal: string;
}

const MACHINE: HostPaths = { proc: '/proc', thermal: '/sys/class/thermal' };

export class MachineHost implements Host {
  readonly #paths: HostPaths;

  constructor(paths: HostPaths = MACHINE) {
    this.#paths = paths;
  }

  figures(dir: string): HostFigures {
    const disk = statfsSync(dir);
    const cpuTempC = this.#cpuTempC();
    return {
      memoryBytes: totalmem(),
      memoryFreeBytes: this.#memoryFreeBytes(),
      diskBytes: disk.blocks * disk.bsize,
      diskFreeBytes: disk.bavail * disk.bsize,
      ...(cpuTempC === undefined ? {} : { cpuTempC }),
    };
  }

  processFigures(pid = process.pid): ProcessFigures | undefined {
    const fields = statFieldsAt(join(this.#paths.proc, `${pid}/stat`));
    if (fields === undefined) return pid === process.pid ? ownFigures() : undefined;
    const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])];
    const status = textAt(join(this.#paths.proc, `${pid}/status`));
    const rssPeakBytes = kibOf(status, 'VmHWM');
    const writtenBytes = /^write_bytes: (\d+)$/m.exec(this.#io(pid))?.[1];
    return {
      rssBytes: kibOf(status, 'VmRSS') ?? 0,
      ...(rssPeakBytes === undefined ? {} : { rssPeakBytes }),
      cpuS: (userTicks + systemTicks) / TICKS_PER_S,
      ...(writtenBytes === undefined ? {} : { writtenBytes: Number(writtenBytes) }),
    };
  }

  openFilesMax(): number {
    const limits = textAt(join(this.#paths.proc, 'self/limits')) ?? '';
    const soft = /^Max open files +(\d+) /m.exec(limits)?.[1]; // Node raises it to the hard one at its start.
    return soft === undefined ? Infinity : Number(soft);
  }

  names(): string[] {
    const own = hostname();
    const addresses = Object.values(networkInterfaces())
      .flatMap((rows) => rows ?? [])
      .map(({ address }) => address)
      .filter((address) => !/^fe80:/i.test(address));
    return [...new Set([own, `${own}.local`, 'localhost', '127.0.0.1', '::1', ...addresses])];
  }

  #io(pid: number): string {
    return textAt(join(this.#paths.proc, `${pid}/io`)) ?? '';
  }

  #memoryFreeBytes(): number {
    return kibOf(textAt(join(this.#paths.proc, 'meminfo')), 'MemAvailable') ?? freemem();
  }

  /** The warmest thermal zone: on a Pi the processor's, the only one. */
  #cpuTempC(): number | undefined {
    const zones = namesIn(this.#paths.thermal).filter((name) => name.startsWith('thermal_zone'));
    const milliC = zones
      .map((zone) => Number(textAt(join(this.#paths.thermal, zone, 'temp')) ?? Number.NaN))
      .filter((value) => Number.isFinite(value));
    return milliC.length === 0 ? undefined : Math.max(...milliC) / 1_000;
  }
}

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;

/** Without /proc: what Node itself knows of this process; it opens a file for that, too. */
function ownFigures(): ProcessFigures | undefined {
  try {
    return { rssBytes: process.memoryUsage.rss(), cpuS: ownCpuS() };
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Processor seconds that this process has taken, to the microsecond: what others do on the machine is not in it. */
export function ownCpuS(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}

/** A line such as `VmRSS:   1234 kB`, in bytes. */
function kibOf(text: string | undefined, name: string): number | undefined {
  const kib = new RegExp(String.raw`^${name}:\s+(\d+) kB$`, 'm').exec(text ?? '')?.[1];
  return kib === undefined ? undefined : Number(kib) * 1_024;
}
