/** The matrix of src/broker/README.md is true: each statement it lists is named by the tests it points to. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { test } from 'vitest';

const README = new URL('../../../../src/broker/README.md', import.meta.url);
/** Statements of MQTT 3.1.1 that bind the client alone, or a kind of server that this is not. */
const NOT_OURS = new Set(['MQTT-2.3.1-2', 'MQTT-4.5.0-2', 'MQTT-7.0.0-1']);
/** Sections of the standard and how many statements each has. */
const SECTIONS =
  '1.5.3:3 2.2.2:2 2.3.1:7 3.1.0:2 3.1.2:24 3.1.3:11 3.1.4:5 3.2.0:1 3.2.2:6 3.3.1:12 3.3.2:3 3.3.4:1 ' +
  '3.3.5:2 3.6.1:1 3.8.1:1 3.8.3:4 3.8.4:6 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.12.4:1 3.14.1:1 ' +
  '3.14.4:3 4.1.0:2 4.2.0:1 4.3.1:1 4.3.2:2 4.3.3:2 4.4.0:1 4.5.0:2 4.6.0:6 4.7.1:3 4.7.2:1 4.7.3:4 ' +
  '4.8.0:2 6.0.0:4 7.0.0:2 7.1.1:1';
/** Carried by the contract of all networks as a whole. */
const BY_CONTRACT = new Set(['MQTT-4.2.0-1', 'MQTT-7.1.1-1']);

const rows = readFileSync(README, 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, statement]) => statement?.startsWith('MQTT-') === true)
  .map(([, statement = '', , tests = '']) => ({ statement, tests }));

test('every statement of the standard has a row', () => {
  const all = SECTIONS.split(' ').flatMap((entry) => {
    const [section, count] = entry.split(':');
    return Array.from({ length: Number(count) }, (_, i) => `MQTT-${section}-${i + 1}`);
  });
  assert.deepEqual(
    rows.map(({ statement }) => statement),
    all,
  );
});

test('every row names tests that name the statement', () => {
  const broken = rows.flatMap(({ statement, tests }) => {
    const links = [...tests.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] as string);
    if (links.length === 0) return NOT_OURS.has(statement) ? [] : [`${statement}: no test`];
    if (BY_CONTRACT.has(statement)) return [];
    return links
      .filter((link) => !readFileSync(new URL(link, README), 'utf8').includes(`[${statement}]`))
      .map((link) => `${statement}: not in ${link}`);
  });
  assert.deepEqual(broken, []);
});
