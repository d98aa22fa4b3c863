/** `heliograph run` and `regional run`: a node, until it is asked to end or must be started again. */
import { createLog } from '../base/log.ts';
import { HubError, isDamage, messageOf, systemCode } from '../base/errors.ts';
import { pause } from '../base/clock.ts';
import {
  readRemoteConfig,
  REMOTE_FILE,
  type RemoteValues,
  tryRemoteConfig,
  writeRemoteConfig,
} from '../config/remote.ts';
import type { Config } from '../config/schema.ts';
import type { HubAddresses } from '../hub/listeners.ts';
import { type Machine, thisMachine } from '../machine.ts';
import { asideOf } from '../store/put-aside.ts';
import { feedWatchdog } from '../platform/systemd.ts';
import type { Args } from './args.ts';
import { ConfigError, configInputOf, ownConfig, withRemote } from './config-options.ts';
import { type CliIo, EXIT, type ExitCode } from './io.ts';
import { type PagePlace, waitForPeople } from './wait-for-people.ts';

const TRY_AGAIN_MS = 1_000;
/** For a node that is stopped while it opens; one that waits for its database would wait on. */
const OPENING_MS_MAX = 5_000;

/** What hub and regional node have in common while they run. */
interface RunningNode {
  readonly id: string;
  readonly addresses: HubAddresses;
  readonly failed: Promise<unknown>;
  close(): Promise<void>;
}

export async function runHub(args: Args, io: CliIo): Promise<ExitCode> {
  const { openHub } = await import('../hub/hub.ts');
  for (;;) {
    const input = configInputOf(args, io);
    const own = ownConfig(input);
    const remote = tryRemote(own.config.data, io);
    const open = (config: Config, machine: Machine): Promise<RunningNode> =>
      openHub(config, machine, input);
    try {
      const { config } = withRemote(own, input, remote.values);
      const exit = await runNode('hub', open, config, { ...config.http, key: 'http.port' }, io);
      if (exit !== 'again') return exit;
    } catch (error) {
      // It comes up without what the region has set, or with it at the next try.
      const isHeld = error instanceof HubError && error.code === 'data.locked';
      if (!remote.isTry || isHeld || error instanceof ConfigError) throw error;
      io.stderr(`${messageOf(error)}\n`);
      await pause(io.timers, TRY_AGAIN_MS);
    }
  }
}

/** What the region has set. Where that is not proven yet, this start counts as a try. */
function tryRemote(
  data: string,
  io: CliIo,
): { readonly values: RemoteValues | undefined; readonly isTry: boolean } {
  const { files } = io;
  const path = `${data}/${REMOTE_FILE}`;
  const known = readRemoteConfig(readOrPutAside(path, io));
  if (known?.state !== 'new') return { values: known?.values, isTry: false };
  const tried = tryRemoteConfig(known);
  try {
    files.replace(path, writeRemoteConfig(tried));
  } catch (error) {
    if (systemCode(error) !== 'EROFS') throw error;
    return { values: undefined, isTry: false }; // No hub comes up on a disk that takes no write, and it says so itself.
  }
  return { values: tried.values, isTry: true };
}

/** What the card does not give back makes way: the wishes are records, too, and are looked at when the hub is open. */
function readOrPutAside(path: string, io: CliIo): Uint8Array | undefined {
  try {
    return io.files.read(path);
  } catch (error) {
    if (!isDamage(error)) throw error;
    const aside = asideOf(path, 'damaged');
    io.files.rename(path, aside);
    io.stderr(`${path} is put aside as ${aside}: ${messageOf(error)}\n`);
    return undefined;
  }
}

export async function runRegion(args: Args, io: CliIo): Promise<ExitCode> {
  const { openRegion } = await import('../region/region.ts');
  const { config } = ownConfig(configInputOf(args, io));
  const { host, httpPort } = config.regional;
  const place = { host, port: httpPort, key: 'regional.http_port' };
  const exit = await runNode('region', openRegion, config, place, io);
  return exit === 'again' ? EXIT.failed : exit;
}

async function runNode(
  kind: 'hub' | 'region',
  open: (config: Config, machine: Machine) => Promise<RunningNode>,
  config: Config,
  place: PagePlace,
  io: CliIo,
): Promise<ExitCode | 'again'> {
  const { signal } = io; // From here on a signal ends the node in order, also while it opens.
  const log = createLog(io.clock, config.logLevel, (line) => io.stderr(`${line}\n`));
  const machine = thisMachine(io.env, log);
  let opened: RunningNode | undefined;
  try {
    opened = await Promise.race([open(config, machine), outOfPatience(signal, io)]);
  } catch (error) {
    await waitForPeople(error, place, machine, io);
    throw error;
  }
  if (opened === undefined) {
    log.info(`${kind}.closed`, { before: 'it was open' });
    return EXIT.done;
  }
  const node = opened;
  const stopFeeding = feedWatchdog(machine.manager, io.timers);
  const addresses = Object.values(node.addresses);
  io.stdout(`ready ${[...addresses, kind, node.id].join(' ')}\n`);
  machine.manager.ready();
  machine.manager.status(`serving ${addresses.join(' ')}`);
  log.info(`${kind}.ready`, { ...node.addresses, id: node.id, data: config.data });

  const failure = await Promise.race([node.failed, aborted(signal)]);
  const isAgain = failure instanceof HubError && failure.code === 'config.changed';
  if (isAgain) machine.manager.status('starting anew with changed settings');
  else machine.manager.stopping();
  stopFeeding();
  if (isAgain) log.info(`${kind}.restarting`, { why: failure.message });
  else if (failure !== undefined) log.error(`${kind}.failed`, failureFields(failure));
  try {
    await node.close();
  } catch (error) {
    if (failure === undefined) throw error;
    log.warn(`${kind}.close-failed`, { reason: messageOf(error) }); // What failed first is the cause.
  }
  log.info(`${kind}.closed`);
  if (isAgain) return 'again';
  return failure === undefined ? EXIT.done : EXIT.failed;
}

function failureFields(failure: unknown): Record<string, string> {
  const reason = messageOf(failure);
  return failure instanceof HubError
    ? { code: failure.code, reason, hint: failure.hint }
    : { reason };
}

/** Resolves, to nothing, some time after the signal: what is nearly open is rather closed in order. */
async function outOfPatience(signal: AbortSignal, { timers }: CliIo): Promise<undefined> {
  await aborted(signal);
  await pause(timers, OPENING_MS_MAX);
  return undefined;
}

/** Resolves, to nothing, when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
