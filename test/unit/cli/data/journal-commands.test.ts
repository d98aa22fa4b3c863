/** `journal verify`, `dump` and `stat` on real files. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { must } from '../../../../src/base/assert.ts';
import { EXIT } from '../../../../src/cli/io.ts';
import { machineTimers } from '../../../../src/platform/clock.ts';
import { machineFiles } from '../../../../src/platform/files/machine-files.ts';
import { CliWorld } from '../../../support/simulated/cli.ts';
import { hubOf, smallDataDir } from '../../../support/hubs/data-dir.ts';

const io = { files: machineFiles, timers: machineTimers };

/** Flips a byte in the payload of the first block, which holds the first op; its segment is the last that has one. */
function damage(dataDir: string): void {
  const journal = join(dataDir, 'journal');
  const name = readdirSync(journal)
    .filter((file) => file.endsWith('.segment'))
    .map((file) => join(journal, file))
    .findLast((path) => readFileSync(path)[8192] === 0x85);
  const path = must(name, 'a segment with the first op');
  const bytes = readFileSync(path);
  bytes[8192 + 50] = (bytes[8192 + 50] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test('a sound journal verifies, by its folder, its data directory or the configuration', async () => {
  const dir = await smallDataDir();
  for (const argv of [`${dir}/journal`, dir, `--data ${dir}`]) {
    const { code, stdout } = await new CliWorld().run(`journal verify ${argv}`, io);
    assert.equal(code, EXIT.done);
    assert.match(
      stdout,
      /journal: LSN 1 to 12; 12 entries, .*\nEvery seal was checked\.\nNo damage\.\n$/,
    );
  }
});

test('a folder that is no journal does not pass for a sound one', async () => {
  const dir = await smallDataDir();
  for (const argv of [`verify ${dir}/keys`, `stat ${dir}/nothing`, `dump ${dir}/keys`]) {
    const { code, stdout, stderr } = await new CliWorld().run(`journal ${argv}`, io);
    assert.deepEqual([code, stdout], [EXIT.failed, '']);
    assert.match(stderr, /there is no journal at .* that this user may read \(data\.unreadable\)/);
  }
});

test('damage exits 1 and names the LSNs', async () => {
  const dir = await smallDataDir();
  damage(dir);
  const { code, stdout } = await new CliWorld().run(`journal verify --json ${dir}`, io);
  assert.equal(code, EXIT.failed);
  const { damages } = JSON.parse(stdout) as { damages: { fromLsn: number; what: string }[] };
  assert.deepEqual([damages[0]?.fromLsn, damages[0]?.what], [1, 'block']);
  const text = await new CliWorld().run(`journal verify ${dir}`, io);
  assert.match(text.stdout, /^! LSN 1 to \d+ lost: damaged block \(.*\.segment at byte \d+\)$/m);
  const dump = await new CliWorld().run(`journal dump ${dir}`, io);
  assert.match(dump.stdout, /^! LSN 1 to \d+ cannot be read$/m);
});

test('a dump shows every entry, ops with their contents, as text and as JSON lines', async () => {
  const dir = await smallDataDir();
  const { stdout } = await new CliWorld().run(`journal dump ${dir}`, io);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 12);
  assert.equal(lines[0], '1  1970-01-01T00:00:01.000Z  telemetry  event  m/0  21.5');
  assert.equal(lines[10], '11  1970-01-01T00:00:01.000Z  record  patch  pump  {"name":"pump 2"}');
  assert.equal(lines[11], '12  local  1 B');
  const json = await new CliWorld().run(`journal dump --json --from 11 --limit 1 ${dir}`, io);
  assert.deepEqual(JSON.parse(json.stdout), {
    lsn: 11,
    type: 'op',
    origin: 'aaaaaaaaaaaaaaaa',
    class: 'record',
    seq: 1,
    at: '1970-01-01T00:00:01.000Z',
    clock: 'ntp',
    hub: hubOf(dir),
    kind: 'patch',
    key: 'pump',
    body: { name: 'pump 2' },
  });
});

test('a dump ends when it is interrupted', async () => {
  const dir = await smallDataDir();
  const interrupt = new AbortController();
  let lines = 0;
  const stdout = (): void => {
    lines += 1;
    interrupt.abort();
  };
  const { code } = await new CliWorld().run(`journal dump ${dir}`, {
    ...io,
    stdout,
    signal: interrupt.signal,
  });
  assert.deepEqual([code, lines], [EXIT.done, 1]);
});

test('stat tells range, size and segments', async () => {
  const dir = await smallDataDir();
  const { stdout } = await new CliWorld().run(`journal stat ${dir}`, io);
  assert.match(
    stdout,
    /journal: LSN 1 to 12; \d+(\.\d)? MB\n\d segments? in use, \d files? ready\n/,
  );
  const json = await new CliWorld().run(`journal stat --json ${dir}`, io);
  const stat = JSON.parse(json.stdout) as { firstLsn: number; lastLsn: number };
  assert.deepEqual([stat.firstLsn, stat.lastLsn], [1, 12]);
});

test('a folder that is not there is an error, and is not made', async () => {
  const dir = `${await smallDataDir()}/nothing`;
  const { code, stderr } = await new CliWorld().run(`journal verify ${dir}`, io);
  assert.equal(code, EXIT.failed);
  assert.match(stderr, /there is no journal at /);
  assert.equal(machineFiles.exists(dir), false);
});

test('a hub whose own key is lost: the operator reads the journal with the escrow key', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
  const dir = await smallDataDir(`journal.escrow_key=${raw}`);
  const pem = join(dir, 'operator.pem');
  writeFileSync(pem, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  rmSync(join(dir, 'keys/kek'));
  const refused = await new CliWorld().run(`journal dump ${dir}`, io);
  assert.equal(refused.code, EXIT.failed);
  assert.match(refused.stderr, /is wrapped to the key-encryption key .*--escrow-key/s);
  const verified = await new CliWorld().run(`journal verify ${dir}`, io);
  assert.match(verified.stdout, /keys that are not here: only checksums were checked/);
  const dump = await new CliWorld().run(`journal dump ${dir} --escrow-key ${pem}`, io);
  assert.equal(dump.code, EXIT.done);
  assert.match(dump.stdout, /^1 {2}1970.* m\/0 {2}21\.5$/m);
  const whole = await new CliWorld().run(`journal verify ${dir} --escrow-key ${pem}`, io);
  assert.match(whole.stdout, /Every seal was checked/);
});
