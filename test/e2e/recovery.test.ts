/**
 * The states of sync as they really come about, and the steps of RECOVERY.md as a person on site would take
 * them. Hub and regional node run in this process, on real files and sockets, in fast site time.
 */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, onTestFinished, test } from 'vitest';

import { EXIT } from '../../src/cli/io.ts';
import type { Config } from '../../src/config/schema.ts';
import { type Hub, openHub } from '../../src/hub/hub.ts';
import { BLOCK_HEAD_BYTES, BLOCKS_START } from '../../src/journal/format.ts';
import type { Machine } from '../../src/machine.ts';
import { machineHttpClient } from '../../src/platform/network/http/http-client.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { openRegion, type Region } from '../../src/region/region.ts';
import { addUser } from '../../src/security/users.ts';
import { Store } from '../../src/store/store.ts';
import { eventually } from '../support/hubs/api.ts';
import { CliWorld } from '../support/simulated/cli.ts';
import { configFor, machine, SMALL_FLAGS } from '../support/hubs/data-dir.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { freePort } from '../support/machine/spawn.ts';
import { storeOptions } from '../support/memory/stores.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const FAST = ['power.sources=none', 'power.time_speed=50', 'capture=[{filter="#",class="alarm"}]'];
/** Said last, it takes the uplink away again. */
const ALONE = ['uplink.url='];
const FREE = ['broker.port=0', 'http.port=0', 'regional.http_port=0'];

/** A site that lives in one folder, with a regional node that may come and go on one port. */
class Place {
  readonly dir = tempDir();
  readonly data = join(this.dir, 'data');
  readonly regionData = join(this.dir, 'region');
  readonly #port: number;
  #hub: Hub | undefined;
  #region: Region | undefined;

  private constructor(port: number) {
    this.#port = port;
    onTestFinished(async () => {
      await this.stopHub();
      await this.stopRegion();
    });
  }

  static async make(): Promise<Place> {
    return new Place(await freePort());
  }

  async startHub(sets: readonly string[] = [], on: Machine = machine): Promise<Hub> {
    const uplink = `uplink.url=mqtt://127.0.0.1:${this.#port}`;
    this.#hub = await openHub(this.#config(this.data, [uplink, ...sets]), on);
    return this.#hub;
  }

  async stopHub(): Promise<void> {
    await this.#hub?.close();
    this.#hub = undefined;
  }

  async startRegion(sets: readonly string[] = []): Promise<Region> {
    const port = `regional.port=${this.#port}`;
    this.#region = await openRegion(this.#config(this.regionData, [port, ...sets]), machine);
    return this.#region;
  }

  async stopRegion(): Promise<void> {
    await this.#region?.close();
    this.#region = undefined;
  }

  /** What it has written until now is all that stays of the hub. */
  async dies(): Promise<void> {
    cpSync(this.data, join(this.dir, 'left'), { recursive: true });
    await this.stopHub();
    rmSync(this.data, { recursive: true });
    renameSync(join(this.dir, 'left'), this.data);
  }

  async publish(payload: string, topic = 'meters/1'): Promise<void> {
    const url = this.#hub?.addresses.mqtt ?? '';
    await publishTo(url, topic, payload);
  }

  /** Waits until the hub names this state. */
  async becomes(state: string): Promise<void> {
    await eventually(
      () => Promise.resolve(this.#hub?.status.snapshot().sync),
      (sync) => sync?.state === state,
    );
  }

  /** Waits until the receipts of all that was published are here. */
  async isSynced(): Promise<void> {
    await eventually(
      () => Promise.resolve(this.#hub?.status.snapshot()),
      (status) => status?.sync.state === 'in sync' && status.uplink.lastReceiptAt !== null,
    );
  }

  /** Waits until doctor has compared the two, and found them equal. */
  async isSameAs(region: Region): Promise<void> {
    const compare = `--compare ${region.addresses.http}`;
    const { code } = await eventually(
      () => this.doctor(compare),
      ({ text }) => text.includes('same state'),
    );
    assert.equal(code, EXIT.done);
  }

  /** What `heliograph doctor` says. */
  async doctor(flags = ''): Promise<{ code: number; state: string | undefined; text: string }> {
    const argv = `doctor --json --data ${this.data} ${SMALL_FLAGS} ${flags}`;
    const io = { files: machineFiles, http: machineHttpClient };
    const { code, stdout } = await new CliWorld().run(argv, io);
    const { sync } = JSON.parse(stdout) as { sync: { state: string } | null };
    return { code, state: sync?.state, text: stdout };
  }

  /** The alarms in the journal of a hub that is stopped. */
  async alarms(): Promise<{ lsn: number; class: string; seq: number }[]> {
    const argv = `journal dump --json --data ${this.data}`;
    const { stdout } = await new CliWorld().run(argv, { files: machineFiles });
    const lines = stdout.trim().split('\n');
    const entries = lines.map(
      (line) => JSON.parse(line) as { lsn: number; class: string; seq: number },
    );
    return entries.filter((entry) => entry.class === 'alarm');
  }

  /** Turns a bit in the block of the first segment that holds this entry (FORMAT.md §4). */
  spoil(lsn: number): void {
    const path = join(this.data, 'journal/000000000001.segment');
    const bytes = readFileSync(path);
    let at = BLOCKS_START;
    const endOf = (block: number): number =>
      Number(bytes.readBigUInt64BE(block + 7)) + bytes.readUInt32BE(block + 16);
    while (endOf(at) <= lsn) at += BLOCK_HEAD_BYTES + bytes.readUInt32BE(at + 26);
    const inPayload = at + BLOCK_HEAD_BYTES + 4;
    bytes[inPayload] = (bytes[inPayload] ?? 0) ^ 0xff;
    writeFileSync(path, bytes);
  }

  #config(data: string, sets: readonly string[]): Config {
    return configFor(data, ...FREE, ...FAST, ...sets);
  }
}

describe('each state, and its way out', () => {
  test('behind: the link comes back', async () => {
    const place = await Place.make();
    await place.startHub();
    await place.becomes('in sync');
    await place.publish('1');
    await place.becomes('behind');
    await place.startRegion();
    await place.becomes('in sync');
    assert.equal((await place.doctor()).code, EXIT.done);
  });

  test('upstream refused: the password is put right', async () => {
    const place = await Place.make();
    const password = await addUser(machine, place.regionData, { name: 'h', role: 'device' });
    const file = join(place.dir, 'word');
    writeFileSync(file, 'wrong');
    await place.startRegion(['security.mode=password']);
    const login = ['uplink.username=h', `uplink.password_file=${file}`];
    await place.startHub(login);
    await place.publish('1');
    await place.becomes('upstream refused');
    assert.equal((await place.doctor()).code, EXIT.failed);
    // The file is read before each session: nobody has to start the hub anew.
    writeFileSync(file, password);
    await place.becomes('in sync');
  });

  test('identity clash: a regional node that was replaced on purpose is trusted anew', async () => {
    const place = await Place.make();
    await place.startRegion();
    await place.startHub();
    await place.publish('1');
    await place.isSynced();
    await place.stopRegion();
    rmSync(join(place.regionData, 'regional/keys'), { recursive: true });
    await assert.rejects(place.startRegion(), { code: 'region.key-lost' });
    const argv = `identity new --regional --data ${place.regionData}`;
    const made = await new CliWorld().run(argv, { files: machineFiles });
    assert.equal(made.code, EXIT.done, made.stderr);
    await place.startRegion();
    await place.publish('2');
    await place.becomes('identity clash');
    rmSync(join(place.data, 'uplink/region.pub'));
    await place.becomes('in sync');
  });

  test('identity clash: a lost key is restored', async () => {
    const place = await Place.make();
    await place.startHub();
    await place.publish('1');
    await place.stopHub();
    const key = join(place.data, 'keys/hub.pem');
    renameSync(key, join(place.dir, 'backup.pem'));
    await assert.rejects(place.startHub(), { code: 'keys.lost' });
    assert.equal((await place.doctor()).state, 'identity clash');
    renameSync(join(place.dir, 'backup.pem'), key);
    assert.equal((await place.doctor()).code, EXIT.done);
    await place.startHub();
  });

  test('identity clash: without a backup of its key it becomes a new hub, which sends what waits', async () => {
    const place = await Place.make();
    await place.startRegion();
    const { id: formerly } = await place.startHub();
    await place.publish('1');
    await place.isSynced();
    await place.stopRegion();
    await place.publish('2');
    await place.stopHub();
    rmSync(join(place.data, 'keys/hub.pem'));
    const argv = `identity new --data ${place.data}`;
    const made = await new CliWorld().run(argv, { files: machineFiles });
    assert.match(made.stderr, new RegExp(`keeps the data of hub ${formerly}`));
    assert.equal((await place.doctor()).code, EXIT.done);
    const region = await place.startRegion();
    const { id } = await place.startHub();
    assert.deepEqual([`${id}\n`, id === formerly], [made.stdout, false]);
    await place.isSynced();
    await place.publish('3');
    await place.isSameAs(region);
    const again = await new CliWorld().run(argv, { files: machineFiles });
    assert.notEqual(again.code, EXIT.done, 'it has its key');
  });

  test('journal lost: a new hub keeps the state, and what it takes reaches the region', async () => {
    const place = await Place.make();
    const region = await place.startRegion();
    const { id: formerly } = await place.startHub();
    for (const payload of ['1', '2', '3']) await place.publish(payload);
    await place.isSameAs(region);
    await place.stopHub();
    rmSync(join(place.data, 'journal'), { recursive: true });
    await assert.rejects(place.startHub(), { code: 'journal.lost' });
    assert.equal((await place.doctor()).state, 'journal lost');
    const argv = `identity new --data ${place.data}`;
    const made = await new CliWorld().run(argv, { files: machineFiles });
    assert.match(made.stderr, new RegExp(`keeps the state of hub ${formerly}`));
    assert.equal((await place.doctor()).code, EXIT.done);
    await place.startHub();
    // As many as the old hub had: their numbers are those of the three ops that the region knows.
    for (const payload of ['4', '5', '6']) await place.publish(payload);
    await place.isSameAs(region);
    assert.equal((await place.alarms()).length, 3);
  });

  test('journal lost: the new hub sends what it takes, also where it dies before the first receipt', async () => {
    const place = await Place.make();
    await place.startRegion();
    await place.startHub();
    for (let count = 0; count < 20; count++) await place.publish('old', `meters/${count}`);
    await place.isSynced();
    await place.stopHub();
    await place.stopRegion();
    rmSync(join(place.data, 'journal'), { recursive: true });
    const argv = `identity new --data ${place.data}`;
    await new CliWorld().run(argv, { files: machineFiles });
    await place.startHub();
    // Further than the old journal reached.
    for (let count = 0; count < 60; count++) await place.publish('new', `meters/${count}`);
    await place.dies();
    const region = await place.startRegion();
    await place.startHub();
    await place.isSynced();
    await place.isSameAs(region);
  });

  test.each([true, false])(
    'identity clash: a copied card is met by its twin, without a region, and ahead of it: %s',
    async (isAhead) => {
      const first = await Place.make();
      await first.startHub();
      await first.publish('1');
      await first.stopHub();
      const second = await Place.make();
      cpSync(first.data, second.data, { recursive: true });
      await second.startHub(ALONE);
      for (const payload of isAhead ? ['2', '3'] : []) await second.publish(payload);
      await second.stopHub();
      const { addresses } = await first.startHub([...ALONE, 'peer.enabled=true']);
      const peers = ['peer.enabled=true', `peer.addresses=["${addresses.mqtt}"]`];
      await second.startHub([...ALONE, ...peers]);
      // Both say so, whichever is ahead, and whichever has dialled.
      for (const place of [second, first]) await place.becomes('identity clash');
    },
  );

  test('journal damaged: a restart keeps the damage aside, and the hub goes on', async () => {
    const place = await Place.make();
    await place.startHub();
    for (const payload of ['1', '2', '3', '4']) await place.publish(payload);
    await place.stopHub();
    const segment = join(place.data, 'journal/000000000001.segment');
    const bytes = readFileSync(segment);
    // The first block: what stands behind it proves that it was whole once, so it is no torn tail.
    const inPayload = BLOCKS_START + BLOCK_HEAD_BYTES + 4;
    bytes[inPayload] = (bytes[inPayload] ?? 0) ^ 0xff;
    writeFileSync(segment, bytes);
    assert.equal((await place.doctor()).state, 'journal damaged');
    await place.startHub();
    await place.becomes('quarantined');
    assert.equal((await place.doctor()).state, 'quarantined');
    await place.publish('5');
  });

  test('quarantined for good: what nobody has any more is closed by a person, and stays closed', async () => {
    const place = await Place.make();
    await place.startHub();
    for (const payload of ['1', '2', '3', '4']) await place.publish(payload);
    await place.stopHub();
    place.spoil((await place.alarms())[1]?.lsn ?? 0);
    const { addresses, status } = await place.startHub();
    await eventually(
      () => Promise.resolve(status.snapshot()),
      ({ journal }) => journal.healing.lackedOps > 0,
    );
    await place.becomes('quarantined');
    const holes = async (command: string): Promise<string> => {
      const argv = `holes ${command} --url ${addresses.http}`;
      return (await new CliWorld().run(argv, { http: machineHttpClient })).stdout;
    };
    assert.match(await holes('list'), /alarm 2 to 2 +lost by the card/);
    assert.match(await holes('close --all'), /nobody is asked for \d+ ops? any more/);
    await place.becomes('behind');
    await place.stopHub();
    const kept = readdirSync(join(place.data, 'journal/quarantine'));
    assert.ok(
      kept.some((name) => name.endsWith('.healed')),
      'the bytes are still there',
    );
    await place.startHub();
    await place.becomes('behind');
  });

  test('journal damaged at the end of a lane: its numbers are not given again, however often the hub starts', async () => {
    const place = await Place.make();
    await place.startHub();
    for (const payload of ['1', '2', '3']) await place.publish(payload);
    await place.stopHub();
    const last = (await place.alarms()).at(-1);
    assert.equal(last?.seq, 3);
    place.spoil(last.lsn);
    for (const name of readdirSync(place.data)) {
      if (name.startsWith('state.')) rmSync(join(place.data, name), { recursive: true });
    }
    // The first start passes over what is lost; at the second one the store is further than the damage.
    for (let start = 0; start < 2; start++) {
      const hub = await place.startHub();
      await eventually(
        () => Promise.resolve(hub.status.snapshot()),
        ({ store, journal }) => store.appliedLsn >= journal.durableLsn,
      );
      await place.stopHub();
    }
    await place.startHub();
    await place.publish('4');
    await place.stopHub();
    const next = (await place.alarms()).at(-1);
    assert.ok((next?.seq ?? 0) > 3, `number ${next?.seq} was given twice`);
  });

  test('diverged: the store of the region is folded anew', async () => {
    const place = await Place.make();
    const region = await place.startRegion();
    await place.startHub();
    await place.publish('1');
    await place.isSynced();
    const compare = (at: Region): string => `--compare ${at.addresses.http}`;
    assert.equal((await place.doctor(compare(region))).code, EXIT.done);

    await place.stopRegion();
    const site = join(place.regionData, 'regional/sites/demo');
    const store = Store.open(storeOptions(site, { durability: 'each-commit' }));
    const through = store.checkpointLsn;
    store.clear();
    store.apply([], through);
    store.close();
    const tampered = await place.startRegion();
    assert.equal((await place.doctor(compare(tampered))).state, 'diverged');

    await place.stopRegion();
    rmSync(join(site, 'state.db'));
    rmSync(join(site, 'state.db-wal'), { force: true });
    const mended = await place.startRegion();
    const after = await place.doctor(compare(mended));
    assert.equal(after.code, EXIT.done, after.text);
    assert.match(after.text, /same state, digest/);
  });

  test('clock unknown: a time server comes within reach', async () => {
    const place = await Place.make();
    let quality: 'unknown' | 'ntp' = 'unknown';
    const { clock } = machine;
    const doubtful = {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      quality: () => quality,
    };
    await place.startHub(['power.time_speed=1'], { ...machine, clock: doubtful });
    await place.becomes('clock unknown');
    quality = 'ntp';
    await place.becomes('in sync');
  });
});
