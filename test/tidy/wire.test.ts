/** The numbers and names of model/WIRE.cddl are those of the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { CLASS_NAMES } from '../../src/model/class.ts';
import { LOCAL_ENTRY, OP_ENTRY } from '../../src/model/entry.ts';
import { HLC_BYTES } from '../../src/model/hlc.ts';
import { AUTHORITY, BODY_BYTES_MAX, KEY_BYTES_MAX, KIND_NAMES } from '../../src/model/op.ts';
import { ORIGIN_BYTES } from '../../src/model/origin.ts';
import { ROOT } from '../support/machine/spawn.ts';

const cddl = readFileSync(join(ROOT, 'src/model/WIRE.cddl'), 'utf8');

/** Names of a rule such as `class = &(alarm: 0, command: 1)`, by number. */
function choice(rule: string): string[] {
  const body = new RegExp(String.raw`^${rule} = &\(([^)]*)\)`, 'm').exec(cddl)?.[1];
  assert.ok(body, `${rule} stands in WIRE.cddl`);
  return body.split(',').map((part, index) => {
    const [name, number] = part.trim().split(': ');
    assert.equal(Number(number), index);
    return name ?? '';
  });
}

function says(text: string): void {
  assert.ok(cddl.includes(text), `WIRE.cddl says: ${text}`);
}

test('classes and kinds have the numbers of WIRE.cddl', () => {
  assert.deepEqual(choice('class'), CLASS_NAMES);
  assert.deepEqual(choice('kind'), KIND_NAMES);
});

test('sizes and limits are those of WIRE.cddl', () => {
  says(`origin = bstr .size ${ORIGIN_BYTES} `);
  says(`hlc = bstr .size ${HLC_BYTES} `);
  says(`; 1 .. ${KEY_BYTES_MAX} bytes: topic of an event`);
  assert.equal(BODY_BYTES_MAX, 1 << 20);
  says('; at most 1 MiB\n]');
});

test('entries and authorities are those of WIRE.cddl', () => {
  says(`op-entry = [${OP_ENTRY}, op, stamp] / [${OP_ENTRY}, op, stamp, delivery]`);
  says(`local-entry = [${LOCAL_ENTRY}, any]`);
  const ranks = Object.entries(AUTHORITY).map(([role, rank]) => `${rank} ${role}`);
  says(`authority: ${ranks.join(', ')}`);
  says(`authority: ${AUTHORITY.device}..${AUTHORITY.operator}`);
});
