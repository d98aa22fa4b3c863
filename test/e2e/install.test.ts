/** The installer on a root of its own: puts everything in place, again, and takes it off but for data. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { testWithPeers } from '../support/peers.ts';
import { ROOT } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';

const UNIT = 'etc/systemd/system/heliograph.service';
const CONFIG = 'etc/heliograph/heliograph.toml';
const MAIN = 'opt/heliograph/dist/main.js';

function install(root: string, ...args: readonly string[]): string {
  const script = join(ROOT, 'deploy/install.sh');
  return execFileSync('bash', [script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, DESTDIR: root },
  });
}

test('installs a program that runs, its unit and a first configuration', () => {
  const root = tempDir();
  install(root);
  const help = execFileSync(process.execPath, [join(root, MAIN), '--help'], { encoding: 'utf8' });
  assert.match(help, /heliograph/);
  assert.match(
    readFileSync(join(root, UNIT), 'utf8'),
    /^ExecStart=\/.*node \/opt\/heliograph\/dist/m,
  );
  assert.equal(statSync(join(root, CONFIG)).mode & 0o777, 0o644);
  assert.equal(statSync(join(root, 'usr/local/bin/heliograph')).mode & 0o111, 0o111);
  assert.ok(!existsSync(join(root, 'opt/heliograph/node_modules/typescript')), 'no dev tools');
  assert.ok(!existsSync(join(root, 'opt/heliograph/src')), 'no sources');
});

test('the first configuration is one that the program takes', () => {
  const root = tempDir();
  for (const [option, name] of [
    ['', 'heliograph'],
    ['--regional', 'regional'],
  ] as const) {
    install(root, ...(option === '' ? [] : [option]));
    const path = join(root, `etc/heliograph/${name}.toml`);
    const config = spawnSync(process.execPath, [join(root, MAIN), 'config', '--config', path]);
    assert.equal(config.status, 0, String(config.stderr));
  }
});

test('again, it updates the program and leaves the configuration as it is', () => {
  const root = tempDir();
  install(root);
  writeFileSync(join(root, CONFIG), 'site = "mine"\n');
  writeFileSync(join(root, 'opt/heliograph/stray'), '');
  install(root);
  assert.equal(readFileSync(join(root, CONFIG), 'utf8'), 'site = "mine"\n');
  assert.ok(!existsSync(join(root, 'opt/heliograph/stray')));
  assert.ok(!existsSync(join(root, 'opt/heliograph.old')));
});

test('uninstalling takes the program off and touches neither data nor configuration', () => {
  const root = tempDir();
  install(root);
  mkdirSync(join(root, 'var/lib/heliograph'), { recursive: true });
  writeFileSync(join(root, 'var/lib/heliograph/journal'), 'data');
  install(root, '--uninstall');
  for (const gone of [UNIT, 'opt/heliograph', 'usr/local/bin/heliograph']) {
    assert.ok(!existsSync(join(root, gone)), gone);
  }
  assert.equal(readFileSync(join(root, 'var/lib/heliograph/journal'), 'utf8'), 'data');
  assert.ok(existsSync(join(root, CONFIG)));
  install(root, '--uninstall');
});

test('hub and regional node share one program, which stays for the other', () => {
  const root = tempDir();
  install(root);
  install(root, '--regional');
  install(root, '--uninstall');
  assert.ok(existsSync(join(root, MAIN)));
  assert.ok(existsSync(join(root, 'etc/systemd/system/heliograph-regional.service')));
  install(root, '--uninstall', '--regional');
  assert.ok(!existsSync(join(root, MAIN)));
});

test('a dry run says what would be done and does nothing', () => {
  const root = tempDir();
  const said = install(root, '--dry-run');
  assert.match(said, /would: put the program into .*\/opt\/heliograph/);
  assert.ok(!existsSync(join(root, 'opt')));
});

test('unknown options and a relative prefix are refused', () => {
  const root = tempDir();
  assert.throws(() => install(root, '--frobnicate'), { status: 2 });
  assert.throws(() => install(root, '--prefix', 'opt'), { status: 1 });
});

test('another prefix stands in unit and command', () => {
  const root = tempDir();
  install(root, '--prefix', '/srv/heliograph');
  assert.match(readFileSync(join(root, UNIT), 'utf8'), / \/srv\/heliograph\/dist\/main\.js run /);
  const command = readFileSync(join(root, 'usr/local/bin/heliograph'), 'utf8');
  assert.match(command, /\/srv\/heliograph\/dist\/main\.js/);
});

testWithPeers(
  'the units are clean by systemd’s own check',
  ['systemd-analyze'],
  ([verify = '']) => {
    const root = tempDir();
    install(root);
    install(root, '--regional');
    for (const name of ['heliograph', 'heliograph-regional']) {
      const path = join(root, `etc/systemd/system/${name}.service`);
      const checked = spawnSync(verify, ['verify', '--man=no', path], { encoding: 'utf8' });
      assert.equal(`${checked.stdout}${checked.stderr}`, '');
      assert.equal(checked.status, 0);
    }
  },
);

testWithPeers('shell scripts are clean by shellcheck', ['shellcheck'], ([shellcheck = '']) => {
  const scripts = ['deploy/install.sh', '.ci/run'];
  const checked = spawnSync(shellcheck, scripts, { cwd: ROOT, encoding: 'utf8' });
  assert.equal(checked.stdout, '');
  assert.equal(checked.status, 0);
});
