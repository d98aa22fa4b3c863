/** Child process of durability.test.ts: three commits, with a mark on standard output after each. */
import { writeSync } from 'node:fs';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import type { Durability } from '../../../src/store/database/sqlite.ts';
import { Store } from '../../../src/store/store.ts';
import { stampedOp } from '../../support/made/ops.ts';

const [, , dir, durability] = process.argv;
const store = Store.open({
  path: `${dir}/state.db`,
  files: machineFiles,
  log: SILENT_LOG,
  readingsDays: 30,
  durability: durability as Durability,
});
writeSync(1, 'opened\n');
for (let seq = 1; seq <= 3; seq++) {
  store.apply([{ lsn: seq, stamped: stampedOp({ seq, atMs: seq }) }], seq);
  writeSync(1, 'committed\n');
}
