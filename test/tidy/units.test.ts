/** Whatever secret the configuration can take from systemd, the unit that reads this configuration hands over. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { filesBelow, readText } from './tree.ts';

const NAMED = /systemd credential `([a-z-]+)`/g;
/** Not in the configuration: the journal's key-encryption key has no file of its own there (FORMAT.md §8). */
const KEY_ENCRYPTION_KEY = 'hub-kek';

const named = filesBelow('src/config', '.ts').flatMap(({ text }) =>
  [...text.matchAll(NAMED)].map((match) => match[1] ?? ''),
);
const ofRegion = named.filter((name) => name.startsWith('regional-'));
const ofHub = [...named.filter((name) => !name.startsWith('regional-')), KEY_ENCRYPTION_KEY];

const UNITS: readonly (readonly [unit: string, credentials: readonly string[]])[] = [
  ['heliograph', ofHub],
  ['heliograph-regional', ofRegion],
  ['heliograph-regional-worker@', ofRegion],
];

test.each(UNITS)('%s.service loads every credential that the program knows', (unit, names) => {
  assert.ok(names.length >= 3);
  const text = readText(`systemd/${unit}.service`);
  const missing = names.filter(
    (name) =>
      !new RegExp(`^LoadCredential(?:Encrypted)?=${name}:heliograph\\.${name}$`, 'm').test(text),
  );
  assert.deepEqual(missing, []);
});
