/** The brokers that are measured: each is started fresh for a run, on free ports of this machine, and ended. */
import { pause } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import { utf8 } from '../../base/bytes.ts';
import { Child, ownProgram } from '../../platform/children.ts';
import { machineTimers } from '../../platform/clock.ts';
import type { Files } from '../../platform/files/files.ts';
import type { HttpClient } from '../../platform/network/http-client.ts';
import { freePort, openLoadSocket } from '../../platform/network/load-socket.ts';
import { THRIFTY_LINGER_MS } from './scenarios.ts';

export const HOST = '127.0.0.1';

export const RIVALS = ['mosquitto', 'bare'] as const;
export type RivalName = (typeof RIVALS)[number];

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
  readonly name: 'heliograph' | RivalName;
  /** `dir` is a new folder for its files; `isThrifty` as in `Scenario`. */
  start(dir: string, isThrifty?: boolean): Promise<RunningBroker>;
}

const START_MS_MAX = 20_000;
const POLL_MS = 20;

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

/**
 * Mosquitto as Debian ships it, but for two limits that would make it throw messages away (queues are
 * unbounded here) and that anyone may come in. It keeps nothing on disk, or saves it now and then where it is to be
 * thrifty: either way its acknowledgement promises memory.
 */
export function mosquitto(files: Files): Contender {
  return {
    name: 'mosquitto',
    async start(dir, isThrifty = false) {
      const port = await freePort();
      const config = `${dir}/mosquitto.conf`;
      const lines = [`listener ${port} ${HOST}`, 'allow_anonymous true', 'max_queued_messages 0'];
      if (isThrifty) lines.push('persistence true', `persistence_location ${dir}/`);
      files.replace(config, utf8(`${lines.join('\n')}\nuser root\nlog_dest none\n`));
      const child = await startRival('mosquitto', ['-c', config]);
      await untilItListens(child, port);
      return {
        port,
        pid: child.pid,
        syncs: () => Promise.resolve(0),
        behind: () => Promise.resolve(0),
        stop: async () => void (await child.stop()),
      };
    },
  };
}

/** bare.ts: what parsing, appending, syncing and acknowledging cost alone. */
const BARE: Contender = {
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

export function rival(name: RivalName, files: Files): Contender {
  return name === 'bare' ? BARE : mosquitto(files);
}

/** Starts a rival's program, from wherever it is. */
export async function startRival(name: string, args: readonly string[]): Promise<Child> {
  // Debian keeps daemons outside a plain user's PATH.
  for (const command of [name, `/usr/sbin/${name}`]) {
    try {
      return await Child.start({ command, args });
    } catch {
      continue;
    }
  }
  throw new HubError('bench.rival-missing', `${name} is not on this machine`);
}

/** Starts a program and waits for the line that says it is ready. */
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
  const child = await Child.start({ command, args, onLine, onErrorLine: onLine });
  const ended = child.exited.then(() => undefined);
  const late = pause(machineTimers, START_MS_MAX).then(() => undefined);
  const line = await Promise.race([ready, ended, late]);
  if (line !== undefined) return { child, line };
  await child.stop();
  throw new HubError('bench.broken', `the hub did not start:\n${said.slice(-10).join('\n')}`);
}

export async function untilItListens(child: Child, port: number): Promise<void> {
  const nothing = (): void => undefined;
  const handlers = { onData: nothing, onDrain: nothing, onClose: nothing };
  for (let waitedMs = 0; waitedMs < START_MS_MAX && child.running; waitedMs += POLL_MS) {
    try {
      (await openLoadSocket({ host: HOST, port, ...handlers })).destroy();
      return;
    } catch {
      await pause(machineTimers, POLL_MS);
    }
  }
  await child.stop();
  throw new HubError('bench.broken', `nothing listens on port ${port}`);
}
