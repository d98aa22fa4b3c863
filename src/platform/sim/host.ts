/** A simulated machine: its figures are what the test or the simulation last set. */
import type { Host, HostFigures, ProcessFigures } from '../host.ts';

const MIB = 1 << 20;

export class SimHost implements Host {
  machine: HostFigures = {
    memoryBytes: 1_024 * MIB,
    memoryFreeBytes: 700 * MIB,
    diskBytes: 32_000 * MIB,
    diskFreeBytes: 24_000 * MIB,
    cpuTempC: 41.5,
  };
  process: ProcessFigures = { rssBytes: 70 * MIB, cpuS: 1, writtenBytes: 0 };

  figures(): HostFigures {
    return this.machine;
  }

  openFilesMax(): number {
    return 16_384;
  }

  names(): string[] {
    return ['sim-hub', 'localhost', '127.0.0.1'];
  }

  processFigures(pid?: number): ProcessFigures | undefined {
    return pid === undefined ? this.process : undefined;
  }
}
