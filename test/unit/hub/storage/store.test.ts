import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';

import { describe, it } from 'vitest';

import { HubError, systemError } from '../../../../src/base/errors.ts';
import type { Timers } from '../../../../src/base/clock.ts';
import { SILENT_LOG } from '../../../../src/base/log.ts';
import { HubStore } from '../../../../src/hub/storage/store.ts';
import { hubPaths } from '../../../../src/hub/data/data.ts';
import { Identity } from '../../../../src/keys/identity.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import type { Files } from '../../../../src/platform/files/files.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { machineRandom } from '../../../../src/platform/random.ts';
import { SqliteFile } from '../../../../src/store/database/sqlite.ts';
import { Store } from '../../../../src/store/store.ts';
import { STORE_SCHEMA } from '../../../../src/versions.ts';
import type { DoorJournal } from '../../../support/memory/door-journal.ts';
import { type DoorSetup, openDoor, publish } from '../../../support/memory/doors.ts';
import { eventually } from '../../../support/hubs/api.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const SIGNER = Identity.fromSeed(new Uint8Array(32).fill(1));

/** Nobody waits for a pause. */
const HASTY: Timers = {
  ...machineTimers,
  after: (_ms, action) => machineTimers.after(0, action),
};

type Options = Parameters<typeof HubStore.open>[0];

interface Hub extends DoorSetup {
  readonly dir: string;
  open(journal?: DoorJournal, signer?: Identity, files?: Files): HubStore;
}

function setUp(): Hub {
  const dir = tempDir();
  const setup = openDoor();
  const { clock } = setup;
  const open = (journal = setup.journal, signer = SIGNER, files = machineFiles): HubStore => {
    const machine = {
      files,
      log: SILENT_LOG,
      clock,
      timers: HASTY,
      random: machineRandom,
    };
    const config = { store: { readingsDays: 30 }, journal: { freeMibMin: 1 } };
    const options = { config, machine, clock, paths: hubPaths(dir), journal, signer };
    const store = HubStore.open(options as unknown as Options);
    store.follow();
    return store;
  };
  return { ...setup, dir, open };
}

function publishTo(hub: Hub, count: number, topic: string): void {
  for (let i = 0; i < count; i++) hub.door.admit(publish({ packetId: 0, topic }));
  hub.journal.sync();
}

describe('the state of a hub', () => {
  it('opens on a disk without a block to spare, on the room that was kept for it', async () => {
    const hub = setUp();
    const { spare, state } = hubPaths(hub.dir);
    publishTo(hub, 3, 'a');
    let store = hub.open();
    const before = await store.digest();
    await store.close();
    assert.equal(statSync(spare).size, 1 << 20);
    // SQLite cannot make the folder that it locks by while the spare room is not given.
    const files = Object.create(machineFiles) as typeof machineFiles;
    files.remove = (path) => {
      if (path === `${state}.lock` && existsSync(spare)) mkdirSync(path);
      else machineFiles.remove(path);
    };
    store = hub.open(undefined, undefined, files);
    assert.deepEqual(await store.digest(), before);
    await store.close();
    assert.ok(existsSync(spare), 'it is kept again for the next time');
  });

  it('that fails on a full disk leaves that room to the next start', async () => {
    const hub = setUp();
    const { spare, state } = hubPaths(hub.dir);
    publishTo(hub, 3, 'a');
    let isFull = false;
    let tries = 0;
    const files = Object.create(machineFiles) as typeof machineFiles;
    files.remove = (path) => {
      if (path !== `${state}.lock`) return machineFiles.remove(path);
      tries += 1;
      if (isFull && existsSync(spare)) mkdirSync(path, { recursive: true });
      else machineFiles.remove(path);
    };
    let store = hub.open(undefined, undefined, files);
    const before = await store.digest();
    isFull = true;
    store.state.stageEntry = (): never => {
      throw new HubError('store.failed', 'for a test');
    };
    publishTo(hub, 1, 'a');
    await eventually(
      async () => tries,
      (count) => count >= 3,
      5_000,
    );
    assert.equal(store.fault?.code, 'store.failed');
    await store.close();
    assert.ok(existsSync(spare));
    store = hub.open(undefined, undefined, files);
    assert.equal((await store.digest()).ops, before.ops + 1);
    await store.settle();
    assert.ok(existsSync(spare), 'it is kept again');
    await store.close();
  });

  it('of a newer version is left alone, and so is the room that is kept for a full disk', async () => {
    const hub = setUp();
    await hub.open().close();
    const { spare, state } = hubPaths(hub.dir);
    const file = SqliteFile.open({ path: state, files: machineFiles, durability: 'replayable' });
    file.exec(`PRAGMA user_version = ${STORE_SCHEMA + 1}`);
    file.close();
    assert.throws(() => hub.open(), { code: 'data.newer' });
    assert.ok(existsSync(spare));
  });

  it('survives the loss of its database after the journal has let go of its beginning', async () => {
    const hub = setUp();
    publishTo(hub, 10, 'quiet/since');
    let store = hub.open();
    await store.digest();
    const released = await store.settle();
    assert.equal(released, 10);
    hub.journal.release(released);
    publishTo(hub, 5, 'busy');
    const before = await store.digest();
    await store.close();
    Store.remove(machineFiles, hubPaths(hub.dir).state);
    store = hub.open();
    assert.deepEqual(await store.digest(), before);
    assert.equal(store.state.latest('quiet').length, 1);
    await store.close();
  });

  it.each([
    ['is put aside, for nothing else may have its old readings', 2 << 20, true],
    ['makes room where the card has none for two of them', 1 << 20, false],
  ])('that is damaged %s', async (_what, freeBytes, isAside) => {
    const hub = setUp();
    publishTo(hub, 10, 'a');
    let store = hub.open();
    const before = await store.digest();
    await store.close();
    const { state } = hubPaths(hub.dir);
    const damaged = Buffer.alloc(8192, 'no database');
    const files = Object.create(machineFiles) as typeof machineFiles;
    files.freeBytes = () => freeBytes;
    for (const bytes of [damaged, Buffer.alloc(8192, 'the next one')]) {
      writeFileSync(state, bytes);
      store = hub.open(undefined, undefined, files);
      assert.deepEqual(await store.digest(), before);
      await store.close();
    }
    const aside = `${state}.damaged`;
    assert.deepEqual(
      existsSync(aside) ? readFileSync(aside) : undefined,
      isAside ? damaged : undefined,
    );
  });

  it('that the card does not give back whole is put aside, once opening it anew has not helped', async () => {
    const hub = setUp();
    publishTo(hub, 10, 'a');
    const { state } = hubPaths(hub.dir);
    const files = Object.create(machineFiles) as typeof machineFiles;
    files.open = (path, mode) => {
      const file = machineFiles.open(path, mode);
      const readAt = (): never => {
        throw systemError('EIO', `read ${path}`);
      };
      return path === state ? Object.assign(file, { readAt }) : file;
    };
    const store = hub.open(undefined, undefined, files);
    const before = await store.digest();
    const opened = new Set([store.state]);
    for (let failures = 0; failures < 2; failures++) {
      const failing = store.state;
      failing.stageEntry = (): never => {
        throw new HubError('store.failed', 'for a test');
      };
      publishTo(hub, 1, 'a');
      await eventually(
        () => Promise.resolve(store.state),
        (now) => now !== failing && store.fault === undefined,
        5_000,
      );
      opened.add(store.state);
      assert.equal(existsSync(`${state}.damaged`), failures === 1);
    }
    assert.equal(opened.size, 3);
    assert.equal((await store.digest()).ops, before.ops + 2);
    await store.close();
  });

  it('that fails at the end of the run is not opened anew: nobody would close it', async () => {
    const hub = setUp();
    publishTo(hub, 3, 'a');
    const store = hub.open();
    await store.digest();
    const { state } = store;
    state.commit = (): never => {
      Reflect.deleteProperty(state, 'commit');
      throw new HubError('store.failed', 'for a test');
    };
    await store.close();
    assert.equal(store.state, state);
    assert.equal(store.fault?.code, 'store.failed');
  });

  it('says nothing to who can do without, where its tables fail: no device ends the hub by what it asks', async () => {
    const hub = setUp();
    const store = hub.open();
    assert.equal(
      store.ask(({ records }) => records.docBytes('notes/1')),
      0,
    );
    const broken = (): never => {
      throw new HubError('store.damaged', 'for a test');
    };
    assert.equal(store.ask(broken), undefined);
    const bug = (): never => {
      throw new TypeError('for a test');
    };
    assert.throws(() => store.ask(bug), TypeError);
    await store.close();
    assert.equal(
      store.ask(({ records }) => records.docBytes('notes/1')),
      undefined,
      'whatever the reason',
    );
  });

  it('has its digest taken in steps, and goes on folding behind the last of them', async () => {
    const hub = setUp();
    for (let i = 0; i < 400; i++) publishTo(hub, 1, `meters/${i}`);
    const store = hub.open();
    const before = await store.digest();
    assert.deepEqual([before.ops, [...store.state.digestInSteps()].length], [400, 6]);
    const taken = store.digest();
    publishTo(hub, 5, 'busy');
    assert.equal((await store.digest()).ops, 405, 'all that was durable when it was asked for');
    assert.deepEqual(await taken, before);
    await store.close();
  });

  it('is folded from what is left where the snapshot is damaged too', async () => {
    const hub = setUp();
    publishTo(hub, 10, 'quiet/since');
    let store = hub.open();
    await store.digest();
    hub.journal.release(await store.settle());
    publishTo(hub, 5, 'busy');
    await store.close();
    const paths = hubPaths(hub.dir);
    Store.remove(machineFiles, paths.state);
    writeFileSync(paths.snapshot, 'nonsense');
    store = hub.open();
    assert.equal((await store.digest()).ops, 5);
    await store.close();
  });

  it('does not believe the snapshot of another hub', async () => {
    const hub = setUp();
    publishTo(hub, 10, 'quiet/since');
    const stranger = Identity.fromSeed(new Uint8Array(32).fill(2));
    let store = hub.open(undefined, stranger);
    await store.digest();
    hub.journal.release(await store.settle());
    publishTo(hub, 5, 'busy');
    await store.close();
    Store.remove(machineFiles, hubPaths(hub.dir).state);
    store = hub.open();
    assert.equal((await store.digest()).ops, 5);
    await store.close();
  });

  it('folds a journal that began anew, though the database has come further', async () => {
    const hub = setUp();
    publishTo(hub, 10, 'a');
    let store = hub.open();
    await store.digest();
    await store.close();
    const vector = hub.door.vector();
    const other = openDoor({ knownVector: vector });
    other.door.admit(publish({ topic: 'b' }));
    other.journal.sync();
    store = hub.open(other.journal);
    assert.equal((await store.digest()).ops, 11);
    assert.equal(store.appliedLsn, 1);
    assert.equal(store.state.latest('').length, 2);
    await store.close();
  });

  it('does not need the snapshot while the journal has everything', async () => {
    const hub = setUp();
    publishTo(hub, 10, 'a');
    let store = hub.open();
    await store.settle();
    const before = await store.digest();
    await store.close();
    writeFileSync(hubPaths(hub.dir).state, 'x'.repeat(9000));
    store = hub.open();
    assert.deepEqual(await store.digest(), before);
    await store.close();
  });
});
