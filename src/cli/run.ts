/** `heliograph run`: the hub, until it is asked to end or must be started again. */
import { createLog } from '../base/log.ts';
import { messageOf } from '../base/errors.ts';
import { openHub } from '../hub.ts';
import { thisMachine } from '../machine.ts';
import { feedWatchdog } from '../platform/systemd.ts';
import type { Args } from './args.ts';
import { configOf } from './config-options.ts';
import { type CliIo, EXIT, type ExitCode } from './io.ts';

export async function runHub(args: Args, io: CliIo): Promise<ExitCode> {
  const config = configOf(args, io);
  const log = createLog(io.clock, config.logLevel, (line) => io.stderr(`${line}\n`));
  const machine = thisMachine(io.env, log);
  const hub = await openHub(config, machine);
  const stopFeeding = feedWatchdog(machine.manager, io.timers, () => hub.status.health().ok);
  const addresses = Object.values(hub.addresses);
  io.stdout(`ready ${[...addresses, `hub ${hub.id}`, `site ${config.site}`].join(' ')}\n`);
  machine.manager.ready();
  machine.manager.status(`serving ${addresses.join(' ')}`);
  log.info('hub.ready', { ...hub.addresses, hubId: hub.id, data: config.data });

  const failure = await Promise.race([hub.failed, aborted(io.signal)]);
  machine.manager.stopping();
  stopFeeding();
  if (failure !== undefined) log.error('hub.failed', { reason: messageOf(failure) });
  await hub.close();
  log.info('hub.closed');
  return failure === undefined ? EXIT.done : EXIT.failed;
}

/** Resolves, to nothing, when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
