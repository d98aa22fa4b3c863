/** Other brokers as processes: found where Debian puts them, waited for until they listen. */
import { pause } from '../../../base/clock.ts';
import { HubError } from '../../../base/errors.ts';
import { Child } from '../../../platform/children.ts';
import { machineTimers } from '../../../platform/clock.ts';
import { openLoadSocket } from '../../../platform/network/load-socket.ts';
import { HOST, type RunningBroker } from '../contenders.ts';

/** Erlang on a small machine takes half a minute. */
const START_MS_MAX = 90_000;
const POLL_MS = 20;
const STOP_MS = 20_000;
/** Debian wraps a daemon in a script that becomes another user, who may not read our folder: the plain program comes first. */
const PLACES = ['/usr/lib/rabbitmq/bin/', '', '/usr/sbin/'];
/** What a rival says last tells why it does not listen. */
const LAST_LINES = 5;

interface RivalProgram {
  readonly name: string;
  readonly args: readonly string[];
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it accepts MQTT. */
  readonly port: number;
}

/** Starts a rival and waits until devices can connect; throws `HubError` where it is not on this machine. */
export async function startRival(program: RivalProgram): Promise<RunningBroker> {
  const said: string[] = [];
  const child = await startFrom(PLACES, program, (line) => {
    said.push(line);
    if (said.length > LAST_LINES) said.shift();
  });
  await untilItListens(child, program.port, said);
  return {
    port: program.port,
    pid: child.pid,
    syncs: () => Promise.resolve(0),
    behind: () => Promise.resolve(0),
    stop: async () => void (await child.stop(STOP_MS)),
  };
}

async function startFrom(
  places: readonly string[],
  { name, args, env = {} }: RivalProgram,
  hear: (line: string) => void,
): Promise<Child> {
  const listening = { onLine: hear, onErrorLine: hear };
  for (const place of places) {
    try {
      return await Child.start({ command: `${place}${name}`, args, env, ...listening });
    } catch {
      continue;
    }
  }
  throw new HubError('bench.rival-missing', `${name} is not on this machine`);
}

async function untilItListens(child: Child, port: number, said: readonly string[]): Promise<void> {
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
  const words = said.length === 0 ? '' : `; the last it said: ${said.join(' | ')}`;
  throw new HubError('bench.broken', `nothing listens on port ${port}${words}`);
}
