/** `heliograph config`: the configuration in force, as TOML that can be read back. */
import { renderConfig, renderConfigJson } from '../config/render.ts';
import type { Args } from './args.ts';
import { loadedConfigOf } from './config-options.ts';
import type { CliIo } from './io.ts';

export function showConfig(args: Args, io: CliIo): void {
  const { config, sources } = loadedConfigOf(args, io);
  io.stdout(args.has('json') ? renderConfigJson(config) : renderConfig(config, sources));
}
