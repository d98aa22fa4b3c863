/** The hub's own parts, opened in the process of a benchmark. */
import { HubError } from '../../base/errors.ts';
import { loadConfig } from '../../config/config.ts';
import type { Config } from '../../config/schema.ts';
import type { Serving } from '../../hub/serving.ts';

/** Of a hub on any free port, with its files in `data`. */
export function configFor(data: string): Config {
  const sets = [`data=${JSON.stringify(data)}`, 'broker.port=0', 'power.sources=["none"]'];
  const outcome = loadConfig({ sets });
  if (outcome.kind === 'invalid') throw new HubError('bench.broken', `no data in ${data}`);
  return outcome.config;
}

/** Lets publishes through the hub's own door, and waits for the card after each `group` of them, and at the end. */
export async function publishThrough(
  { door, journal }: Pick<Serving, 'door' | 'journal'>,
  publishes: Iterable<{ readonly topic: string; readonly payload: Uint8Array }>,
  group: number,
): Promise<void> {
  const flags = { qos: 1, retain: false, dup: false, packetId: 0, clientId: '' } as const;
  let count = 0;
  for (const { topic, payload } of publishes) {
    const admission = door.admit({ topic, payload, ...flags });
    if (admission.kind === 'refused') throw admission.fault;
    count += 1;
    if (count % group === 0) await journal.whenDurable(journal.lastLsn);
  }
  await journal.whenDurable(journal.lastLsn);
}
