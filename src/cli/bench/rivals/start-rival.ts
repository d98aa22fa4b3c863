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
/** Debian keeps daemons outside a plain user's PATH, and wraps some of them; the plain program comes first. */
const PLACES = ['', '/usr/lib/rabbitmq/bin/', '/usr/sbin/'];

export interface RivalProgram {
  readonly name: string;
  readonly args: readonly string[];
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it accepts MQTT. */
  readonly port: number;
}

/** Starts a rival and waits until devices can connect; throws `HubError` where it is not on this machine. */
export async function startRival(program: RivalProgram): Promise<RunningBroker> {
  const child = await startFrom(PLACES, program);
  await untilItListens(child, program.port);
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
): Promise<Child> {
  for (const place of places) {
    try {
      return await Child.start({ command: `${place}${name}`, args, env });
    } catch {
      continue;
    }
  }
  throw new HubError('bench.rival-missing', `${name} is not on this machine`);
}

async function untilItListens(child: Child, port: number): Promise<void> {
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
