/** The options by which every command finds the configuration, and through it the data and the hub. */
import { messageOf, systemCode } from '../base/errors.ts';
import {
  type ConfigInput,
  type ConfigMistake,
  type ConfigOutcome,
  formatMistake,
  loadConfig,
} from '../config/config.ts';
import { readRemoteConfig, REMOTE_FILE, type RemoteValues } from '../config/remote.ts';
import type { Config } from '../config/schema.ts';
import { awayFault } from '../hub/data/data-note.ts';
import type { Args, OptionSpec } from './args.ts';
import type { CliIo } from './io.ts';

export const CONFIG_OPTIONS = {
  config: { value: 'FILE', help: 'configuration in TOML; also from HELIOGRAPH_CONFIG' },
  data: { value: 'DIR', help: 'data directory, instead of the one in the configuration' },
  set: { value: 'KEY=VALUE', help: 'one key of the configuration', isRepeatable: true },
} as const satisfies Readonly<Record<string, OptionSpec>>;

type LoadedConfig = Extract<ConfigOutcome, { kind: 'ok' }>;

/** The configuration has mistakes; the message lists all of them, a line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(mistakes: readonly ConfigMistake[]) {
    super(mistakes.map(formatMistake).join('\n'));
  }
}

/** Throws `ConfigError`. */
export function configOf(args: Args, io: Pick<CliIo, 'env' | 'files'>): Config {
  return loadedConfigOf(args, io).config;
}

/** The same, for who writes into the data directory: throws `data.away` where its hub is elsewhere, and what is written would be lost. */
export function writableConfigOf(args: Args, io: Pick<CliIo, 'env' | 'files'>): Config {
  const config = configOf(args, io);
  const away = awayFault(config, io.files);
  if (away !== undefined) throw away;
  return config;
}

/** As `configOf`, with where each value comes from. What the region has set is in the data directory of the hub. */
export function loadedConfigOf(args: Args, io: Pick<CliIo, 'env' | 'files'>): LoadedConfig {
  const input = configInputOf(args, io);
  const own = ownConfig(input);
  const remoteBytes = bytesOf(io, `${own.config.data}/${REMOTE_FILE}`);
  const remote = readRemoteConfig(typeof remoteBytes === 'string' ? undefined : remoteBytes);
  return withRemote(own, input, remote?.values);
}

/** Without what the region has set; throws `ConfigError`. */
export function ownConfig(input: ConfigInput): LoadedConfig {
  const outcome = loadConfig(input);
  if (outcome.kind === 'invalid') throw new ConfigError(outcome.mistakes);
  return outcome;
}

/** `own`, which was read from `input`, with what the region has set above it; throws `ConfigError`. */
export function withRemote(
  own: LoadedConfig,
  input: ConfigInput,
  values: RemoteValues | undefined,
): LoadedConfig {
  return values === undefined ? own : ownConfig({ ...input, remote: values });
}

export function configInputOf(args: Args, io: Pick<CliIo, 'env' | 'files'>): ConfigInput {
  const path = args.text('config') ?? io.env['HELIOGRAPH_CONFIG'];
  const data = args.text('data');
  return {
    ...(path === undefined ? {} : { file: { path, bytes: bytesOf(io, path) } }),
    env: io.env,
    sets: [...args.texts('set'), ...(data === undefined ? [] : [`data=${JSON.stringify(data)}`])],
  };
}

/** The file's bytes, or why there are none. */
function bytesOf(io: Pick<CliIo, 'files'>, path: string): Uint8Array | string {
  try {
    return io.files.read(path) ?? 'there is no such file';
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EACCES') return 'this user may not read it';
    if (code === 'EINVAL') return 'is a pipe or a device, not a file';
    return code === 'EISDIR' ? 'is a folder, not a file' : `cannot be read: ${messageOf(error)}`;
  }
}
