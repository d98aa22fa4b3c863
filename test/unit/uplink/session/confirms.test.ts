/** A receipt counts for a batch only where it says of it what its manifest says: whose, what, how much, which. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import type { Manifest } from '../../../../src/batch/manifest.ts';
import type { Receipt } from '../../../../src/batch/wire/receipt.ts';
import { RECORD, TELEMETRY } from '../../../../src/model/class.ts';
import { confirms } from '../../../../src/uplink/session/confirms.ts';
import { DEVICE_A, DEVICE_B, HUB } from '../../../support/made/ops.ts';

const range = { origin: DEVICE_A, class: TELEMETRY, from: 1, to: 40 } as const;
const SAID = {
  hub: HUB,
  class: TELEMETRY,
  ops: 40,
  root: new Uint8Array(32).fill(1),
  ranges: [range],
} as const;
const manifest = SAID as unknown as Manifest;

test('a receipt that says the same confirms', () => {
  assert.ok(confirms({ ...SAID } as unknown as Receipt, manifest));
});

test.each([
  ['hub', DEVICE_B],
  ['class', RECORD],
  ['ops', 39],
  ['root', new Uint8Array(32).fill(2)],
  ['ranges', [{ ...range, to: 41 }]],
] as const)('one of another %s does not', (name, value) => {
  assert.ok(!confirms({ ...SAID, [name]: value } as unknown as Receipt, manifest));
});
