/** The hub's own parts, opened in the process of a benchmark. */
import { HubError } from '../../base/errors.ts';
import { loadConfig } from '../../config/config.ts';
import type { Config } from '../../config/schema.ts';

/** Of a hub on any free port, with its files in `data`. */
export function configFor(data: string): Config {
  const sets = [`data=${JSON.stringify(data)}`, 'broker.port=0', 'power.sources=["none"]'];
  const outcome = loadConfig({ sets });
  if (outcome.kind === 'invalid') throw new HubError('bench.broken', `no data in ${data}`);
  return outcome.config;
}
