/** Section `audit` of the configuration (schema.ts). */
import { flag, number, section } from './fields.ts';

export const audit = section("The audit log: every op's way through the hub, as JSON lines.", {
  enabled: flag(true, 'Write it; `heliograph audit` reads it.'),
  mib_max: number(
    8,
    { min: 1, max: 1024, unit: 'MiB' },
    'Files of 1 MiB in `audit` of the data directory; the oldest goes first.',
  ),
});
