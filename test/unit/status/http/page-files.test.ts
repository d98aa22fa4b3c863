import assert from 'node:assert/strict';
import { test } from 'vitest';

import { systemError } from '../../../../src/base/errors.ts';
import { type Log, SILENT_LOG } from '../../../../src/base/log.ts';
import { PageFiles } from '../../../../src/status/http/page-files.ts';

test('a file that the card does not give is told and missing; the others are there', () => {
  const files = {
    list: () => ['index.html', 'page.css', 'page.js'],
    read: (path: string): Uint8Array => {
      if (path.endsWith('.css')) throw Object.assign(new Error(`EIO: ${path}`), { code: 'EIO' });
      return new TextEncoder().encode(path);
    },
  };
  const said: unknown[] = [];
  const log: Log = { ...SILENT_LOG, error: (event, fields) => said.push([event, fields]) };
  const page = new PageFiles(files, 'dir', { log });
  const statusOf = (path: string): number | undefined => page.answer(path, new Headers())?.status;
  assert.deepEqual(['/', '/page.css', '/page.js'].map(statusOf), [200, undefined, 200]);
  const reason = 'EIO: dir/page.css';
  assert.deepEqual(said, [['page.unreadable', { path: 'dir/page.css', reason }]]);
});

test('a folder that the card does not give is told, and nothing of it is there', () => {
  const refuse = (path: string): never => {
    throw systemError('EIO', path);
  };
  const said: unknown[] = [];
  const log: Log = { ...SILENT_LOG, error: (event, fields) => said.push([event, fields]) };
  const page = new PageFiles({ list: refuse, read: refuse }, 'dir', { log });
  assert.equal(page.answer('/', new Headers()), undefined);
  assert.deepEqual(said, [['page.unreadable', { path: 'dir', reason: 'EIO: dir' }]]);
});

test('who has a file is told so, by its tag, behind a proxy that made it weak, and where any will do', () => {
  const files = { list: () => ['page.js'], read: () => new Uint8Array([1]) };
  const page = new PageFiles(files, 'dir', { log: SILENT_LOG });
  const etag = page.answer('/page.js', new Headers())?.headers.get('etag') ?? '';
  const statusFor = (known: string): number | undefined =>
    page.answer('/page.js', new Headers({ 'if-none-match': known }))?.status;
  const known = [etag, `W/${etag}`, `"other", ${etag}`, '*'];
  assert.deepEqual(known.map(statusFor), [304, 304, 304, 304]);
  assert.deepEqual(['"other"', ''].map(statusFor), [200, 200]);
});
