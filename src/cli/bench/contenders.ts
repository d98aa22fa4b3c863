/** The hub as it is measured, and what a contender is: started fresh for a run, on free ports of this machine, and ended. */
import { pause } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { Child, ownProgram } from '../../platform/children.ts';
import { machineTimers } from '../../platform/clock.ts';
import type { HttpClient } from '../../platform/network/http/http-client.ts';
import { THRIFTY_LINGER_MS } from './scenarios.ts';

export const HOST = '127.0.0.1';

export interface RunningBroker {
  readonly port: number;
  readonly pid: number;
  /** How often it has waited for the disk. */
  syncs(): Promise<number>;
  /** Messages that were acknowledged and still cause work. */
  behind(): Promise<number>;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** `dir` is a new folder for its files; `isThrifty` as in `Scenario`. */
  start(dir: string, isThrifty?: boolean): Promise<RunningBroker>;
}

const START_MS_MAX = 20_000;
/** As in systemd/heliograph.service. */
const UNIT_ENV = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536' };

interface HubStatus {
  readonly journal: { readonly syncs: number; readonly lastLsn: number };
  readonly store: { readonly appliedLsn: number };
}

/** This very program, as a site without battery and uplink runs it. */
export function hub(http: HttpClient): Contender {
  return {
    name: 'heliograph',
    async start(dir, isThrifty = false) {
      const sets = ['broker.port=0', 'http.port=0', 'power.sources=["none"]', 'log_level="warn"'];
      // Ten minutes at half the rate that is folded are 8 GB, and nothing takes them away.
      sets.push('journal.total_mib_max=32768');
      if (isThrifty) sets.push(`journal.linger_ms.telemetry=${THRIFTY_LINGER_MS}`);
      const { command, entry } = ownProgram();
      const args = [entry, 'run', '--data', dir, ...sets.flatMap((set) => ['--set', set])];
      const { child, line } = await startUntil(command, args, (text) => text.startsWith('ready'));
      const port = Number(/mqtt:\/\/[^\s/]*:(\d+)/.exec(line)?.[1]);
      const url = /http:\/\/[^\s/]*:\d+/.exec(line)?.[0] ?? '';
      const status = async (): Promise<HubStatus> => {
        const { text } = await http.get(`${url}/api/v1/status`);
        return JSON.parse(text) as HubStatus;
      };
      return {
        port,
        pid: child.pid,
        syncs: async () => (await status()).journal.syncs,
        behind: async () => {
          const { journal, store } = await status();
          return journal.lastLsn - store.appliedLsn;
        },
        stop: async () => void (await child.stop()),
      };
    },
  };
}

/** bare.ts: what parsing, appending, syncing and acknowledging cost alone. */
export const BARE: Contender = {
  name: 'bare',
  async start(dir) {
    const { command, entry } = ownProgram();
    const args = [entry, 'bench', 'bare', dir];
    const { child, line } = await startUntil(command, args, (text) => text.startsWith('ready'));
    return {
      port: Number(line.split(' ')[1]),
      pid: child.pid,
      syncs: () => Promise.resolve(0),
      behind: () => Promise.resolve(0),
      stop: async () => void (await child.stop()),
    };
  },
};

/** Starts this program as its unit does, and waits for the line that says it is ready. */
export async function startUntil(
  command: string,
  args: readonly string[],
  isReady: (line: string) => boolean,
): Promise<{ child: Child; line: string }> {
  const said: string[] = [];
  let resolveLine: (line: string) => void = () => undefined;
  const ready = new Promise<string>((resolve) => (resolveLine = resolve));
  const onLine = (line: string): void => {
    said.push(line);
    if (isReady(line)) resolveLine(line);
  };
  const child = await Child.start({ command, args, env: UNIT_ENV, onLine, onErrorLine: onLine });
  const ended = child.exited.then(() => undefined);
  const late = pause(machineTimers, START_MS_MAX).then(() => undefined);
  const line = await Promise.race([ready, ended, late]);
  if (line !== undefined) return { child, line };
  await child.stop();
  throw new HubError('bench.broken', `the hub did not start:\n${said.slice(-10).join('\n')}`);
}
