/** Lines are never cut in two, a crash leaves no half, and no file stays empty for a group that is too long for any. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  AuditFiles,
  FILE_BYTES_MAX,
  newestLine,
  readAudit,
} from '../../../src/audit/audit-files.ts';
import type { AuditLine } from '../../../src/audit/audit-line.ts';
import { textOf, utf8 } from '../../../src/base/bytes.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';

/** A group of lines that is longer than a file. */
const LONG = Array.from({ length: 30_000 }, (_, lsn) => {
  return { at: '2026-03-01T06:10:00.000Z', event: 'merged', lsns: [lsn, lsn] } as const;
}) as unknown as readonly AuditLine[];

test('a group that is longer than a file stands in one of its own', () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const log = AuditFiles.open(files, 'audit', 3);
  log.append(LONG);
  log.append(LONG.slice(0, 3));
  log.close();
  const sizes = files.list('audit').map((name) => files.read(`audit/${name}`)?.length ?? 0);
  assert.equal(sizes.length, 2);
  assert.ok((sizes[0] as number) > FILE_BYTES_MAX);
  assert.equal(readAudit(files, 'audit').length, LONG.length + 3);
});

test('of a torn line nothing is left, however long it was', () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const [line] = LONG as [AuditLine];
  files.makeDir('audit');
  files.replace(
    'audit/audit-00000001.jsonl',
    utf8(`${JSON.stringify(line)}\n{"at":"${'9'.repeat(999)}`),
  );
  const log = AuditFiles.open(files, 'audit', 3);
  log.append([line]);
  log.close();
  const content = textOf(files.read('audit/audit-00000001.jsonl') ?? new Uint8Array());
  assert.equal(content, `${JSON.stringify(line)}\n`.repeat(2));
});

test('a byte that the card has damaged costs its own line', () => {
  const files = new SimFiles({ random: new SeededRandom(1) });
  const log = AuditFiles.open(files, 'audit', 3);
  log.append(LONG.slice(0, 3));
  log.close();
  const path = 'audit/audit-00000001.jsonl';
  const content = Uint8Array.from(files.read(path) ?? []);
  content[1] = 0xff; // Of the name of the first member.
  files.replace(path, content);
  assert.deepEqual(readAudit(files, 'audit'), LONG.slice(1, 3));
  assert.deepEqual(
    newestLine(files, 'audit', () => true),
    LONG[2],
  );
});
