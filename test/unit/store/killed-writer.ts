/** Child process of store.test.ts: applies ops until it is killed, and says how far it has come. */
import { SILENT_LOG } from '../../../src/base/log.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { Store } from '../../../src/store/store.ts';
import { stampedOp } from '../../support/made/ops.ts';

const store = Store.open({
  path: `${process.argv[2]}/state.db`,
  files: machineFiles,
  log: SILENT_LOG,
  readingsDays: 30,
});
for (let seq = 1; ; seq++) {
  const stamped = stampedOp({ seq, atMs: seq, key: `meters/${seq % 10}` });
  store.apply([{ lsn: seq, stamped }], seq);
  if (seq === 200) process.stdout.write('committed 200\n');
}
