/** `heliograph doctor` on the files of a hub that stands still, each kind of trouble once, and its repair. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'vitest';

import { hubChecks, lifeCheck } from '../../../../src/cli/doctor/hub-checks.ts';
import { EXIT } from '../../../../src/cli/io.ts';
import { Identity } from '../../../../src/keys/identity.ts';
import { openHub } from '../../../../src/hub/hub.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import { machineHttpClient } from '../../../../src/platform/network/http/http-client.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { serveHttp } from '../../../../src/platform/network/http/http-server.ts';
import { machineRandom } from '../../../../src/platform/random.ts';
import { SimClock } from '../../../../src/platform/sim/clock.ts';
import { createApi } from '../../../../src/status/api/api.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';
import { diagnose, type DoctorReport, wrongIn } from '../../../support/simulated/doctor.ts';
import { configFor, machine, SMALL_FLAGS, smallDataDir } from '../../../support/hubs/data-dir.ts';
import { NOON_MS, SampleSources, sampleStatus } from '../../../support/made/status.ts';
import { makeReadOnly, smallDisk, testWithMounts } from '../../../support/machine/small-disk.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const world = new CliWorld();
let dir: string;

describe('a hub that stands still', () => {
  beforeEach(async () => {
    dir = await smallDataDir();
  });

  test('in order is in order, and stays as it was', async () => {
    const report = await diagnose(world, dir);
    assert.deepEqual(wrongIn(report), []);
    assert.equal(report.code, EXIT.done);
    assert.equal(report.sync, null);
    const journal = report.checks.find(({ name }) => name === 'journal files');
    assert.match(journal?.found ?? '', /^LSN 1 to 12, .* every byte checked$/);
  });

  test.each([
    ['', 'ok', /all publishes/],
    [
      "--set capture=[{filter='alarms/#'}]",
      'note',
      /^1 rule: what none of them matches .* not kept/,
    ],
    ["--set capture=[{filter='alarms/#'},{filter='#'}]", 'ok', /^2 rules$/],
  ])('what capture rules leave out is told: %s', async (flags, verdict, found) => {
    const check = (await diagnose(world, dir, flags)).checks.find(({ name }) => name === 'capture');
    assert.equal(check?.verdict, verdict);
    assert.match(check.found, found);
  });

  test('what a newer program wrote is told as that, and nothing of it is looked at or mended', async () => {
    writeFileSync(join(dir, 'layout'), '99\n');
    writeFileSync(join(dir, 'state.db'), 'what a newer program knows to read');
    const report = await diagnose(world, dir, '--fix');
    assert.deepEqual(
      report.checks.map(({ name, verdict }) => [name, verdict]),
      [
        ['config', 'ok'],
        ['data', 'wrong'],
      ],
    );
    assert.match(report.checks[1]?.found ?? '', /says 99, this version knows 1 \(data\.newer\)/);
    assert.deepEqual(report.fixed, ['nothing: a newer version wrote these files']);
    assert.ok(existsSync(join(dir, 'state.db')));
  });

  test('a damaged entry is named, and the state of sync with it', async () => {
    const segment = join(dir, 'journal/000000000001.segment');
    const bytes = readFileSync(segment);
    const inFirstBlock = 8192 + 60;
    bytes[inFirstBlock] = (bytes[inFirstBlock] ?? 0) ^ 1;
    writeFileSync(segment, bytes);
    const report = await diagnose(world, dir, '--fix');
    assert.deepEqual(wrongIn(report), ['journal files']);
    assert.equal(report.sync?.state, 'journal damaged');
    assert.equal(report.code, EXIT.failed);
    assert.deepEqual(report.fixed, [], 'a journal is never mended by itself');
  });

  test('a key that cannot be read is an identity clash, for no hub starts with it', async () => {
    writeFileSync(join(dir, 'keys/hub.pem'), 'junk');
    const report = await diagnose(world, dir);
    assert.equal(report.sync?.state, 'identity clash');
    assert.ok(wrongIn(report).includes('identity'));
    assert.equal(report.code, EXIT.failed);
  });

  test('keys that are gone are wrong, for no hub starts without them; only a credential may have been elsewhere', async () => {
    rmSync(join(dir, 'keys/kek'));
    const maybe = await diagnose(world, dir);
    assert.deepEqual(wrongIn(maybe), []);
    writeFileSync(join(dir, 'keys/kek'), Buffer.alloc(32, 7), { mode: 0o600 });
    assert.deepEqual(wrongIn(await diagnose(world, dir)), ['journal files']);
    rmSync(join(dir, 'keys'), { recursive: true });
    const report = await diagnose(world, dir);
    assert.equal(report.code, EXIT.failed);
    assert.deepEqual(wrongIn(report), ['identity', 'journal files']);
  });

  test('what devices have told that it lacks is a state of its own, until somebody closes it', async () => {
    const line = 'aaaaaaaaaaaaaaaa 2 1-40 1800000000000';
    const found = ({ checks }: DoctorReport): string | undefined =>
      checks.find(({ name }) => name === 'holes')?.found;
    writeFileSync(join(dir, 'holes'), `${line} open tablet\n`);
    const open = await diagnose(world, dir);
    assert.equal(open.sync?.state, 'held elsewhere');
    assert.equal(found(open), '40 ops that other hubs have had, told by tablet');
    assert.equal(open.code, EXIT.done, 'to be looked at later');
    writeFileSync(join(dir, 'holes'), `${line} closed tablet\n`);
    const closed = await diagnose(world, dir);
    assert.equal(closed.sync, null);
    assert.equal(found(closed), 'closed: 40 ops');
  });

  test('what the region has lost and nobody can send again is told until its note is removed', async () => {
    const path = join(dir, 'uplink/forgotten');
    mkdirSync(join(dir, 'uplink'), { recursive: true });
    writeFileSync(path, 'telemetry 40 1800000000000 38\nalarm 40 1800000000000 -\n');
    const report = await diagnose(world, dir);
    assert.equal(report.sync?.state, 'forgotten upstream');
    assert.deepEqual(wrongIn(report), ['upstream']);
    const { found = '' } = report.checks.find(({ name }) => name === 'upstream') ?? {};
    assert.match(found, /class telemetry through op 38 \(LSN 40/);
    assert.doesNotMatch(found, /alarm/, 'which nobody has counted yet');
    rmSync(path);
    assert.equal((await diagnose(world, dir)).sync, null);
  });

  test('what a crash left behind goes; nothing else does', async () => {
    for (const name of ['runtime.json', 'users.json.new', 'state.snapshot.new']) {
      writeFileSync(join(dir, name), '{}');
    }
    writeFileSync(join(dir, 'notes.txt'), 'kept');
    const before = await diagnose(world, dir);
    assert.equal(before.checks.filter(({ fixable }) => fixable).length, 3);
    const after = await diagnose(world, dir, '--fix');
    assert.equal(after.fixed.length, 3);
    assert.deepEqual(
      machineFiles.list(dir).filter((name) => /new$|runtime|notes/.test(name)),
      ['notes.txt'],
    );
  });

  test('a key that others may read is closed to them', async () => {
    chmodSync(join(dir, 'keys/hub.pem'), 0o644);
    assert.ok(wrongIn(await diagnose(world, dir)).includes('rights'));
    await diagnose(world, dir, '--fix');
    assert.equal(statSync(join(dir, 'keys/hub.pem')).mode & 0o777, 0o600);
    assert.ok(!wrongIn(await diagnose(world, dir)).includes('rights'));
  });

  test('a key that did not write the journal is a clash', async () => {
    const path = join(dir, 'keys/hub.pem');
    rmSync(path);
    Identity.open({ files: machineFiles, path, random: machineRandom });
    const report = await diagnose(world, dir);
    assert.deepEqual(wrongIn(report), ['identity']);
    assert.equal(report.sync?.state, 'identity clash');
  });

  test('a region key that is none, and no users in mode password', async () => {
    mkdirSync(join(dir, 'uplink'));
    writeFileSync(join(dir, 'uplink/region.pub'), 'hello');
    assert.deepEqual(wrongIn(await diagnose(world, dir, '--set security.mode=password')), [
      'region key',
      'users',
    ]);
  });

  test('members of mode enrolled are counted, and a roster that is damaged is wrong', async () => {
    const users = async (): Promise<string> => {
      const { checks } = await diagnose(world, dir, '--set security.mode=enrolled');
      const { verdict, found } = checks.find(({ name }) => name === 'users') ?? {};
      return `${verdict}: ${found}`;
    };
    assert.equal(await users(), 'ok: mode enrolled: no member yet');
    const enrol = `enrol device ana --password --data ${dir} --set security.mode=enrolled`;
    await world.run(enrol, { files: machineFiles });
    assert.equal(await users(), 'ok: mode enrolled: 1 member');
    chmodSync(join(dir, 'enrol/authority.pem'), 0o644);
    assert.deepEqual(wrongIn(await diagnose(world, dir, '--set security.mode=enrolled')), [
      'rights',
    ]);
    writeFileSync(join(dir, 'enrol/roster.cbor'), 'hello');
    assert.match(await users(), /^wrong: .*\(enrol\.untrusted\)$/);
  });

  test('too little room on the disk', async () => {
    assert.deepEqual(wrongIn(await diagnose(world, dir, '--set journal.free_mib_min=1048576')), [
      'disk',
    ]);
  });

  test('a folder that is no data directory is only said to be none', async () => {
    dir = tempDir();
    const report = await diagnose(world, dir);
    assert.equal(report.code, EXIT.done);
    assert.match(report.checks.at(-1)?.found ?? '', /is not the data directory of a hub yet/);
  });

  test('for eyes: verdicts, arrows, the state', async () => {
    hasNoJournalYet();
    const { stdout } = await world.run(`doctor --data ${dir} ${SMALL_FLAGS}`, {
      files: machineFiles,
    });
    assert.match(stdout, /^note {5}journal files {2}none yet$/m);
    assert.match(stdout, /^skipped {2}clock {10}only a running hub knows$/m);
    assert.match(stdout, /^Sync state: only a running hub knows\.$/m);
  });
});

describe('a card that the kernel has made read-only', () => {
  testWithMounts('is named, and all the rest is looked at without a write', async () => {
    const disk = smallDisk(8);
    const made = await smallDataDir();
    dir = join(disk, 'data');
    cpSync(made, dir, { recursive: true });
    makeReadOnly(disk);
    const report = await diagnose(world, dir, '--fix');
    assert.equal(report.code, EXIT.failed);
    assert.deepEqual(wrongIn(report), ['disk']);
    assert.match(report.checks.find(({ name }) => name === 'disk')?.found ?? '', /read-only/);
    const journal = report.checks.find(({ name }) => name === 'journal files');
    assert.match(journal?.found ?? '', /every byte checked/);
    assert.deepEqual(report.fixed, ['nothing: the file system is read-only']);
  });
});

/** As after a first start that ended between the key and the journal. */
function hasNoJournalYet(): void {
  rmSync(join(dir, 'journal'), { recursive: true });
  writeFileSync(join(dir, 'hub.id'), '');
}

/** The directory gets a key, as a start would make it: another than the one in its journal. */
describe('a hub that runs here', () => {
  test('is asked, its files are read, and nothing is mended under it', async () => {
    dir = await smallDataDir();
    hasNoJournalYet();
    const sets = ['broker.port=0', 'http.port=0', 'power.sources=["none"]'];
    const hub = await openHub(configFor(dir, ...sets), machine);
    try {
      const report = await diagnose(world, dir, '--fix');
      assert.deepEqual(wrongIn(report), []);
      assert.equal(report.sync?.state, 'no uplink');
      assert.deepEqual(report.fixed, ['nothing: a hub runs here; stop it first']);
      assert.ok(machineFiles.exists(join(dir, 'runtime.json')));
    } finally {
      await hub.close();
    }
  });
});

test('a hub that knows of no battery is not taken for one on mains', () => {
  const powerOf = (state: string) => {
    const power = { ...sampleStatus().power, source: 'none', state, ageS: null };
    return hubChecks(sampleStatus({ power }), 0).find(({ name }) => name === 'power');
  };
  assert.deepEqual([powerOf('normal')?.verdict, powerOf('normal')?.found], ['ok', 'on mains']);
  assert.equal(powerOf('unknown')?.verdict, 'note');
  assert.match(powerOf('unknown')?.steps.join(' ') ?? '', /power\.sources = \["none"\]/);
});

test.each([
  [null, 'ok'],
  [60, 'ok'],
  [3, 'ok'],
  [2.9, 'note'],
  [1, 'note'],
  [0.9, 'wrong'],
])('a card that lasts %j years is %s', (lifeYears, verdict) => {
  assert.equal(lifeCheck(lifeYears).verdict, verdict);
});

test.each([
  [0.79, 'ok'],
  [0.8, 'note'],
])(
  'a journal that is full to %d is %s, whatever files wait to be used again',
  (fillRatio, verdict) => {
    const journal = { ...sampleStatus().journal, bytes: 100, bytesMax: 100, fillRatio };
    const check = hubChecks(sampleStatus({ journal }), 0).find(({ name }) => name === 'journal');
    assert.equal(check?.verdict, verdict);
  },
);

describe('a hub that runs elsewhere', () => {
  test('its faults are wrong, its state of sync is told', async () => {
    const sources = new SampleSources(new SimClock(NOON_MS));
    sources.status = sampleStatus({
      faults: [{ code: 'journal.full', message: 'no room', hint: 'Do this.', since: '' }],
      power: { ...sampleStatus().power, ageS: 600 },
      sync: { state: 'behind', severity: 'watch', meaning: '', steps: [], also: ['clock unknown'] },
    });
    const api = createApi(sources.options({ timers: machineTimers }));
    const fetch = (request: Request, remote: string) => api.fetch(request, remote);
    const server = await serveHttp({
      host: '127.0.0.1',
      port: 0,
      purpose: 'x',
      connectionsMax: 9,
      fetch,
    });
    try {
      const { code, stdout } = await world.run(
        `doctor --json --url http://127.0.0.1:${server.port}`,
        {
          files: machineFiles,
          http: machineHttpClient,
        },
      );
      const report = JSON.parse(stdout) as DoctorReport;
      assert.deepEqual(wrongIn(report), ['fault', 'power']);
      assert.deepEqual(report.sync?.state, 'clock unknown', 'the worst in the order of the table');
      assert.deepEqual(report.sync.also, ['behind']);
      assert.equal(code, EXIT.failed);
    } finally {
      api.close();
      await server.close();
    }
  });
});
