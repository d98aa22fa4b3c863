/** Keys of the regional node, and the kinds of values that it shares with other sections. */
import { HOST, list, number, section, text, urlOf } from './fields.ts';

export const PORT = { min: 0, max: 65_535, note: '0: any free port' };
export const FILE = { allowed: 'the path of a file, or empty', holds: () => true };

export const JURISDICTION = {
  allowed: 'a code of 1 … 32 letters, digits and "-", or empty',
  holds: (value: string) => /^[A-Za-z0-9-]{0,32}$/.test(value),
};

export const regional = section('The regional node (`heliograph regional run`).', {
  url: text('', 'Broker it serves; empty: its own, on `port`.', urlOf('mqtt', 'mqtts')),
  host: text('127.0.0.1', 'Address its own broker listens on.', HOST),
  port: number(2883, PORT, 'Port of its own broker.'),
  http_port: number(8081, PORT, 'Its page and API, on `host`.'),
  username: text('', 'Name for the login at `url`.'),
  password_file: text(
    '',
    'File with the password (or systemd credential `regional-password`).',
    FILE,
  ),
  ca_file: text('', 'Certificates to trust for mqtts, PEM.', FILE),
  operator_key_file: text(
    '',
    'X25519 private keys that open what hubs encrypt, PEM, one after the other (or systemd credential `regional-operator-key`).',
    FILE,
  ),
  accept_jurisdictions: list([], 'What may be stored here; empty: everything.', {
    allowed: 'codes such as "KE"; "" stands for sites that say none',
    holds: JURISDICTION.holds,
  }),
  database: text(
    '',
    'postgres://user@host/name, which any number of workers may share; empty: embedded SQLite under `data`.',
    {
      allowed: 'a postgres:// URL without a password in it',
      holds: (value) => value === '' || /^postgres(ql)?:\/\/[^/:]*(@|:\d|\/|$)/.test(value),
    },
  ),
  database_password_file: text(
    '',
    'File with its password (or systemd credential `regional-database-password`).',
    FILE,
  ),
  key_file: text(
    '',
    'Private key that receipts are signed with, the same for all workers; empty: one of its own under `data`.',
    FILE,
  ),
  readings_days: number(
    730,
    { min: 1, max: 36_500, unit: 'days' },
    'How long readings stay; in PostgreSQL by whole months, in SQLite within 4 GiB a site.',
  ),
  batches_days: number(
    730,
    { min: 1, max: 36_500, unit: 'days' },
    'In PostgreSQL: how long batches stay as they came, with their signatures, by whole months.',
  ),
  hub_mib_per_day: number(
    0,
    { min: 0, max: 1_048_576, unit: 'MiB' },
    'What one hub may send in a day; more waits until the next, but for alarms and commands (a twentieth more). 0: no limit.',
  ),
  site_mib_per_day: number(
    0,
    { min: 0, max: 1_048_576, unit: 'MiB' },
    'The same for all hubs of a site together.',
  ),
});
