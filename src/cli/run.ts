/** `heliograph run` and `regional run`: a node, until it is asked to end or must be started again. */
import { createLog } from '../base/log.ts';
import { messageOf } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { HubAddresses } from '../hub/listeners.ts';
import { type Machine, thisMachine } from '../machine.ts';
import { feedWatchdog } from '../platform/systemd.ts';
import type { Args } from './args.ts';
import { configOf } from './config-options.ts';
import { type CliIo, EXIT, type ExitCode } from './io.ts';

/** What hub and regional node have in common while they run. */
interface RunningNode {
  readonly id: string;
  readonly addresses: HubAddresses;
  readonly failed: Promise<unknown>;
  isHealthy(): boolean;
  close(): Promise<void>;
}

export async function runHub(args: Args, io: CliIo): Promise<ExitCode> {
  const { openHub } = await import('../hub/hub.ts');
  return runNode('hub', openHub, args, io);
}

export async function runRegion(args: Args, io: CliIo): Promise<ExitCode> {
  const { openRegion } = await import('../region/region.ts');
  return runNode('region', openRegion, args, io);
}

async function runNode(
  kind: 'hub' | 'region',
  open: (config: Config, machine: Machine) => Promise<RunningNode>,
  args: Args,
  io: CliIo,
): Promise<ExitCode> {
  const config = configOf(args, io);
  const log = createLog(io.clock, config.logLevel, (line) => io.stderr(`${line}\n`));
  const machine = thisMachine(io.env, log);
  const node = await open(config, machine);
  const stopFeeding = feedWatchdog(machine.manager, io.timers, () => node.isHealthy());
  const addresses = Object.values(node.addresses);
  io.stdout(`ready ${[...addresses, kind, node.id].join(' ')}\n`);
  machine.manager.ready();
  machine.manager.status(`serving ${addresses.join(' ')}`);
  log.info(`${kind}.ready`, { ...node.addresses, id: node.id, data: config.data });

  const failure = await Promise.race([node.failed, aborted(io.signal)]);
  machine.manager.stopping();
  stopFeeding();
  if (failure !== undefined) log.error(`${kind}.failed`, { reason: messageOf(failure) });
  await node.close();
  log.info(`${kind}.closed`);
  return failure === undefined ? EXIT.done : EXIT.failed;
}

/** Resolves, to nothing, when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
