/** The audit log of a hub tells each conflict once, whenever the hub stops. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { readAudit } from '../../../../src/audit/audit-files.ts';
import { openHub } from '../../../../src/hub/hub.ts';
import { encodePatch } from '../../../../src/merge/patch.ts';
import type { StampedOp } from '../../../../src/model/op.ts';
import type { Origin } from '../../../../src/model/origin.ts';
import { eventually, getJson } from '../../../support/hubs/api.ts';
import {
  appendOps,
  configFor,
  hubOf,
  machine,
  smallDataDir,
} from '../../../support/hubs/data-dir.ts';
import { type OpParts, patchOp } from '../../../support/made/ops.ts';

const RECORDS = 250;
const ORIGINS = ['cccccccccccccccc', 'bbbbbbbbbbbbbbbb'] as Origin[];

interface Folded {
  readonly store: { readonly appliedLsn: number };
  readonly journal: { readonly lastLsn: number };
}

/** By somebody who has seen nothing of the record. */
function written(origin: Origin, key: string, parts: OpParts): StampedOp {
  const body = encodePatch({ state: origin }, { state: [] });
  return patchOp({}, { ...parts, origin, key, body });
}

/** Starts on the data directory, and stops as soon as all is folded. */
async function passBy(dir: string): Promise<void> {
  const sets = ['broker.port=0', 'http.port=0', 'power.sources=["none"]'];
  const hub = await openHub(configFor(dir, ...sets), machine);
  await eventually(
    () => getJson<Folded>(`${hub.addresses.http}api/v1/status`),
    ({ store, journal }) => store.appliedLsn === journal.lastLsn,
  );
  await hub.close();
}

function conflictsIn(dir: string): string[] {
  const lines = readAudit(machine.files, join(dir, 'audit'));
  return lines.flatMap((line) => (line.event === 'conflict' ? [line.key] : []));
}

test('also those that were met a moment before a stop, or a crash, and more than come at once as a rule', async () => {
  const dir = await smallDataDir();
  const keys = Array.from({ length: RECORDS }, (_, index) => `order/${index + 1}`);
  const hub = hubOf(dir) as Origin;
  const writes = ORIGINS.flatMap((origin) =>
    keys.map((key, index) => written(origin, key, { seq: index + 1, hub })),
  );
  await appendOps(dir, writes);
  await passBy(dir);
  assert.deepEqual(conflictsIn(dir), keys);
  await passBy(dir);
  assert.deepEqual(conflictsIn(dir), keys, 'not again');
  const path = join(dir, 'audit/audit-00000001.jsonl');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, text.indexOf(`"key":"${keys.at(-1)}"`)));
  await passBy(dir);
  assert.deepEqual(new Set(conflictsIn(dir)), new Set(keys), 'what a crash has torn is told again');
});
