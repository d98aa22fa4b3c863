/** `heliograph doctor` in a world of its own, on a data directory of the machine. */
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { machineHttpClient } from '../../../src/platform/network/http/http-client.ts';
import { SMALL_FLAGS } from '../hubs/data-dir.ts';
import type { CliWorld } from './cli.ts';

export interface DoctorReport {
  readonly code: number;
  readonly ok: boolean;
  readonly sync: { readonly state: string; readonly also: readonly string[] } | null;
  readonly checks: readonly {
    readonly name: string;
    readonly verdict: string;
    readonly found: string;
    readonly fixable: boolean;
  }[];
  readonly fixed: readonly string[];
}

export async function diagnose(world: CliWorld, dir: string, flags = ''): Promise<DoctorReport> {
  const { code, stdout } = await world.run(`doctor --json --data ${dir} ${SMALL_FLAGS} ${flags}`, {
    files: machineFiles,
    http: machineHttpClient,
  });
  return { ...(JSON.parse(stdout) as Omit<DoctorReport, 'code'>), code };
}

export function wrongIn({ checks }: Pick<DoctorReport, 'checks'>): string[] {
  return checks.filter(({ verdict }) => verdict === 'wrong').map(({ name }) => name);
}
