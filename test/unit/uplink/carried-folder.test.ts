import assert from 'node:assert/strict';

import { test, vi } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import type { CarriedMessage } from '../../../src/batch/bundle.ts';
import { helloTopic } from '../../../src/batch/wire/topics.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { CarriedFolder } from '../../../src/uplink/carried-folder.ts';
import { identityOf, SITE } from '../../support/made/batches.ts';

const MESSAGES = 20;

function messageOf(seed: number): CarriedMessage {
  const topic = helloTopic({ site: SITE, hub: identityOf(seed).id });
  return { topic, payload: new Uint8Array(1_000).fill(seed) };
}

function disk(): SimFiles {
  return new SimFiles({ random: new SeededRandom(1) });
}

function open(files: SimFiles, bytesMax?: number): CarriedFolder {
  const limit = bytesMax === undefined ? {} : { bytesMax };
  return new CarriedFolder({ files, dir: 'carried', log: SILENT_LOG, ...limit });
}

test('what is carried is read once, however often something comes', () => {
  const files = disk();
  const folder = open(files);
  const read = vi.spyOn(files, 'read');
  for (let seed = 1; seed <= MESSAGES; seed++) folder.keep([messageOf(seed)]);
  folder.letGo(new Set());
  const paths = read.mock.calls.map(([path]) => path);
  assert.equal(paths.length, new Set(paths).size);
});

test('what has been carried for longest gives way first, also after a restart', () => {
  const files = disk();
  for (let seed = 1; seed <= MESSAGES; seed++) open(files, 6_400).keep([messageOf(seed)]);
  const folder = open(files);
  const held = folder.names().flatMap((name) => folder.messages(name));
  assert.deepEqual(held, [16, 17, 18, 19, 20].map(messageOf));
});

test('so do bundles of versions that did not number them, before all that came since', () => {
  const files = disk();
  open(files).keep([messageOf(1)]);
  const [numbered = ''] = files.list('carried');
  files.rename(`carried/${numbered}`, `carried/${'f'.repeat(32)}.bundle`);
  for (const seed of [2, 3]) open(files, 2_600).keep([messageOf(seed)]);
  const folder = open(files);
  const held = folder.names().flatMap((name) => folder.messages(name));
  assert.deepEqual(held, [2, 3].map(messageOf));
});
