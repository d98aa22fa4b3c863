/** Settings from the region on a disk that does not take that they have proven themselves. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { systemError } from '../../../../src/base/errors.ts';
import type { Log } from '../../../../src/base/log.ts';
import {
  readRemoteConfig,
  REMOTE_FILE,
  type RemoteConfig,
  writeRemoteConfig,
} from '../../../../src/config/remote.ts';
import {
  RemoteSettings,
  type RemoteSettingsOptions,
} from '../../../../src/hub/uplink/remote-config.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { HUB } from '../../../support/made/ops.ts';

test('a full disk ends no hub that has new settings: they are proven when there is room', async () => {
  const clock = new SimClock(Date.UTC(2026, 2, 1));
  const path = `/data/${REMOTE_FILE}`;
  const values = { 'journal.keep_days': 3 };
  const remote: RemoteConfig = { state: 'new', tries: 1, wished: values, values, refused: [] };
  const contents = new Map([[path, writeRemoteConfig(remote)]]);
  let isFull = true;
  const logged: string[] = [];
  const note = (event: string): void => void logged.push(event);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const settings = new RemoteSettings({
    input: undefined,
    files: {
      read: (file) => contents.get(file),
      replace: (file, bytes) => {
        if (isFull) throw systemError('ENOSPC', 'write');
        contents.set(file, bytes);
      },
    },
    dataDir: '/data',
    hub: HUB,
    store: {} as RemoteSettingsOptions['store'],
    door: { journalOwn: () => 1 },
    journal: { whenDurable: () => Promise.resolve() },
    timers: clock,
    log,
    restart: assert.fail,
  });
  await clock.advance(60_000);
  assert.deepEqual(logged, ['config.remote-unkept', 'config.remote-unkept']);
  isFull = false;
  await clock.advance(30_000);
  assert.equal(logged.at(-1), 'config.remote-proven');
  assert.equal(readRemoteConfig(contents.get(path))?.state, 'good');
  await clock.advance(60_000);
  assert.equal(logged.length, 3);
  settings.close();
});
