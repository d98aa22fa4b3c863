/** Data directories of hubs, on the real disk, small and quick to make. */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { Closers } from '../../../src/closers.ts';
import { loadConfig } from '../../../src/config/config.ts';
import type { Config } from '../../../src/config/schema.ts';
import { takeDataDirectory } from '../../../src/hub/data/data.ts';
import { openJournal } from '../../../src/hub/storage/journal.ts';
import { Identity } from '../../../src/keys/identity.ts';
import { thisMachine } from '../../../src/machine.ts';
import { encodeLocalEntry, encodeOpEntry } from '../../../src/model/entry.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { patchOp, stampedOp } from '../made/ops.ts';
import { tempDir } from '../machine/temp-dir.ts';

const SMALL = 'journal.segment_mib=1 journal.total_mib_max=8 journal.free_mib_min=0'.split(' ');

/** For a command line. */
export const SMALL_FLAGS = SMALL.map((set) => `--set ${set}`).join(' ');
export const machine = thisMachine({}, SILENT_LOG);

export function configFor(dir: string, ...sets: string[]): Config {
  const outcome = loadConfig({ sets: [...SMALL, `data=${dir}`, ...sets] });
  assert.equal(outcome.kind, 'ok');
  return outcome.config;
}

/** Journals the ops as a hub would, and closes the journal. */
export async function appendOps(
  dir: string,
  ops: readonly StampedOp[],
  ...sets: string[]
): Promise<void> {
  const closers = new Closers();
  const paths = takeDataDirectory(dir, machine.files, closers);
  const journal = closers.add(await openJournal(configFor(dir, ...sets), machine, paths));
  for (const { bytes, stamp } of ops) journal.append(encodeOpEntry(bytes, stamp), 0);
  journal.append(encodeLocalEntry(Uint8Array.of(0xa0)), 0);
  await journal.whenDurable(journal.lastLsn);
  await closers.close();
}

/** A new data directory whose journal holds ten readings, a record and a local entry: LSN 1 to 12. */
export async function smallDataDir(...sets: string[]): Promise<string> {
  const dir = join(tempDir(), 'data');
  const keyPath = join(tempDir(), 'hub.pem');
  const { files, random } = machine;
  const hub = Identity.open({ files, random, path: keyPath }).id;
  const readings = Array.from({ length: 10 }, (_, index) =>
    stampedOp({ hub, seq: index + 1, key: `m/${index}` }),
  );
  await appendOps(dir, [...readings, patchOp({ name: 'pump 2' }, { hub })], ...sets);
  copyFileSync(keyPath, join(dir, 'keys/hub.pem'));
  return dir;
}

/** Id of the hub that such a directory is of. */
export function hubOf(dir: string): string {
  const path = join(dir, 'keys/hub.pem');
  return Identity.open({ files: machine.files, random: machine.random, path }).id;
}
