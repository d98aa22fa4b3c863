/** Real hubs and regional nodes as processes, for end-to-end tests. The build is made once, by build.ts. */
import { join } from 'node:path';

import { type Spawned, ROOT, spawnProcess } from '../machine/spawn.ts';

export const MAIN = join(ROOT, 'dist/main.js');

export interface RunningHub {
  readonly process: Spawned;
  readonly mqttUrl: string;
  readonly mqttPort: number;
  /** Ends with a slash. */
  readonly httpUrl: string;
}

export interface HubOptions {
  readonly data: string;
  readonly sets?: readonly string[];
  readonly env?: Record<string, string>;
  /** Ports to take again after a restart; free ones otherwise. */
  readonly mqttPort?: number;
  /** A program and its arguments that run the hub as their child or in their place, such as a tracer. */
  readonly under?: readonly string[];
}

/** Starts `heliograph run` on free loopback ports, without power sources, and waits until it is ready. */
export async function startHub(options: HubOptions): Promise<RunningHub> {
  const sets = [
    `broker.port=${options.mqttPort ?? 0}`,
    'http.port=0',
    'power.sources=["none"]',
    'journal.free_mib_min=0',
    ...(options.sets ?? []),
  ];
  const args = ['run', '--data', options.data, ...asSets(sets)];
  const process = heliograph(args, options.env, options.under);
  return { process, ...(await addresses(process)) };
}

/** Starts `heliograph regional run` with its own broker on a free port. */
export async function startRegional(options: HubOptions): Promise<RunningHub> {
  const sets = [
    `regional.port=${options.mqttPort ?? 0}`,
    'regional.http_port=0',
    ...(options.sets ?? []),
  ];
  const args = ['regional', 'run', '--data', options.data, ...asSets(sets)];
  const process = heliograph(args, options.env, options.under);
  return { process, ...(await addresses(process)) };
}

export function heliograph(
  args: readonly string[],
  env: Record<string, string> = {},
  under: readonly string[] = [],
): Spawned {
  const [command = 'node', ...rest] = [...under, 'node', MAIN, ...args];
  return spawnProcess(command, rest, { env });
}

/** Adds a user of mode `password` to a data directory; its password. */
export async function addUser(data: string, name: string, role: string): Promise<string> {
  const add = heliograph(['user', 'add', name, '--role', role, '--json', '--data', data]);
  const { password } = JSON.parse(await add.line(/^\{/)) as { password: string };
  await add.exited;
  return password;
}

function asSets(sets: readonly string[]): string[] {
  return sets.flatMap((set) => ['--set', set]);
}

async function addresses(process: Spawned): Promise<Omit<RunningHub, 'process'>> {
  const line = await process.line(/^ready /);
  const mqttUrl = /mqtt:\/\/\S+/.exec(line)?.[0] ?? '';
  const httpUrl = /http:\/\/\S+/.exec(line)?.[0] ?? '';
  return { mqttUrl, mqttPort: Number(new URL(mqttUrl).port), httpUrl };
}
