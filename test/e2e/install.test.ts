/** The installer on a root of its own: puts everything in place, again, and takes it off but for data. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { test } from 'vitest';

import { testWithPeers } from '../support/machine/peers.ts';
import { ROOT } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const UNIT = 'etc/systemd/system/heliograph.service';
const CONFIG = 'etc/heliograph/heliograph.toml';
const MAIN = 'opt/heliograph/dist/main.js';

interface Site {
  /** What the machine's root would be. */
  readonly root: string;
  readonly source: string;
  readonly install: (...args: readonly string[]) => string;
}

/** A root of its own, for the sources in `source`. */
function siteFor(source: string): Site {
  const root = tempDir();
  return {
    root,
    source,
    install: (...args) =>
      execFileSync('bash', [join(source, 'deploy/install.sh'), ...args], {
        encoding: 'utf8',
        stdio: 'pipe',
        env: { ...process.env, DESTDIR: root },
      }),
  };
}

/** The installer with next to nothing to install: what it does with it is the same, and quick. */
function lightSite(): Site {
  const source = tempDir();
  for (const dir of ['deploy', 'systemd']) {
    cpSync(join(ROOT, dir), join(source, dir), { recursive: true });
  }
  for (const dir of ['dist', 'node_modules']) mkdirSync(join(source, dir));
  writeFileSync(join(source, 'package.json'), '{\n  "name": "heliograph"\n}\n');
  writeFileSync(join(source, 'node_modules/.package-lock.json'), '{"packages":{}}');
  for (const name of ['dist/main.js', 'README.md', 'LICENSE'])
    writeFileSync(join(source, name), '');
  return siteFor(source);
}

test('what is installed runs without the sources, and takes the first configuration', () => {
  const { root, install } = siteFor(ROOT);
  install();
  install('--regional');
  const run = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [join(root, MAIN), ...args], { encoding: 'utf8', cwd: root });
  assert.match(run('--help'), /heliograph/);
  for (const name of ['heliograph', 'regional']) {
    run('config', '--config', join(root, `etc/heliograph/${name}.toml`));
  }
  assert.ok(!existsSync(join(root, 'opt/heliograph/node_modules/typescript')), 'no dev tools');
  assert.ok(!existsSync(join(root, 'opt/heliograph/src')), 'no sources');
});

test('puts program, command, unit and a first configuration in place', () => {
  const { root, install } = lightSite();
  install();
  assert.match(
    readFileSync(join(root, UNIT), 'utf8'),
    /^ExecStart=\/.*node \/opt\/heliograph\/dist/m,
  );
  assert.equal(statSync(join(root, CONFIG)).mode & 0o777, 0o644);
  assert.equal(statSync(join(root, 'usr/local/bin/heliograph')).mode & 0o111, 0o111);
  assert.equal(statSync(join(root, MAIN)).mode & 0o111, 0o111);
});

test('again, it updates the program and leaves the configuration as it is', () => {
  const { root, install } = lightSite();
  install();
  writeFileSync(join(root, CONFIG), 'site = "mine"\n');
  writeFileSync(join(root, 'opt/heliograph/stray'), '');
  install();
  assert.equal(readFileSync(join(root, CONFIG), 'utf8'), 'site = "mine"\n');
  assert.ok(!existsSync(join(root, 'opt/heliograph/stray')));
  assert.ok(!existsSync(join(root, 'opt/heliograph.old')));
});

test('uninstalling takes the program off and touches neither data nor configuration', () => {
  const { root, install } = lightSite();
  install();
  mkdirSync(join(root, 'var/lib/heliograph'), { recursive: true });
  writeFileSync(join(root, 'var/lib/heliograph/journal'), 'data');
  install('--uninstall');
  for (const gone of [UNIT, 'opt/heliograph', 'usr/local/bin/heliograph']) {
    assert.ok(!existsSync(join(root, gone)), gone);
  }
  assert.equal(readFileSync(join(root, 'var/lib/heliograph/journal'), 'utf8'), 'data');
  assert.ok(existsSync(join(root, CONFIG)));
  install('--uninstall');
});

test('hub and regional node share one program, which stays for the other', () => {
  const { root, install } = lightSite();
  install();
  install('--regional');
  install('--uninstall');
  assert.ok(existsSync(join(root, MAIN)));
  assert.ok(existsSync(join(root, 'etc/systemd/system/heliograph-regional.service')));
  install('--uninstall', '--regional');
  assert.ok(!existsSync(join(root, MAIN)));
});

test('workers share one key, which is made once', () => {
  const { root, install } = lightSite();
  install('--workers', '3');
  const key = join(root, 'etc/heliograph/region.pem');
  const made = readFileSync(key, 'utf8');
  assert.match(made, /BEGIN PRIVATE KEY/);
  assert.equal(statSync(key).mode & 0o777, 0o600);
  install('--workers', '2');
  assert.equal(readFileSync(key, 'utf8'), made);
  const unit = join(root, 'etc/systemd/system/heliograph-regional-worker@.service');
  assert.match(readFileSync(unit, 'utf8'), /key_file=%d\/regional-key/);
  install('--uninstall', '--workers', '2');
  assert.ok(!existsSync(unit) && !existsSync(join(root, MAIN)) && existsSync(key));
  assert.throws(() => install('--workers', '0'), { status: 1 });
});

test('a dry run says what would be done and does nothing', () => {
  const { root, install } = lightSite();
  const said = install('--dry-run');
  assert.match(said, /would: put the program into .*\/opt\/heliograph/);
  assert.ok(!existsSync(join(root, 'opt')));
});

test('unknown options and a relative prefix are refused', () => {
  const { install } = lightSite();
  assert.throws(() => install('--frobnicate'), { status: 2 });
  assert.throws(() => install('--prefix', 'opt'), { status: 1 });
});

test('a folder of somebody else is not taken as prefix, and not removed', () => {
  const { root, install } = lightSite();
  mkdirSync(join(root, 'usr/local/lib'), { recursive: true });
  assert.throws(() => install('--prefix', '/usr/local'), { status: 1 });
  assert.throws(() => install('--prefix', '/usr/local', '--uninstall'), { status: 1 });
  assert.ok(existsSync(join(root, 'usr/local/lib')));
  for (const odd of ['/srv/a b', '/', '/srv/../etc', '/srv/x;y']) {
    assert.throws(() => install('--prefix', odd), { status: 1 }, odd);
  }
});

test('a prefix may end in a slash, also the second time', () => {
  const { root, install } = lightSite();
  for (let times = 0; times < 2; times++) install('--prefix', '/srv/heliograph/');
  assert.ok(existsSync(join(root, 'srv/heliograph/dist/main.js')));
  assert.deepEqual(readdirSync(join(root, 'srv')), ['heliograph']);
});

test('sources that only their owner may read are installed for the user of the service', () => {
  const { root, source, install } = lightSite();
  execFileSync('chmod', ['-R', 'go-rwx', source]);
  install();
  for (const path of ['', 'dist', 'dist/main.js', 'package.json']) {
    const mode = statSync(join(root, 'opt/heliograph', path)).mode;
    assert.equal(mode & 0o044, 0o044, path);
  }
});

test('another prefix stands in unit and command', () => {
  const { root, install } = lightSite();
  install('--prefix', '/srv/heliograph');
  assert.match(readFileSync(join(root, UNIT), 'utf8'), / \/srv\/heliograph\/dist\/main\.js run /);
  const command = readFileSync(join(root, 'usr/local/bin/heliograph'), 'utf8');
  assert.match(command, /\/srv\/heliograph\/dist\/main\.js/);
});

test('unit and command look for the note of the hub in the same place, beside the data', () => {
  const { root, install } = lightSite();
  install();
  const unit = readFileSync(join(root, UNIT), 'utf8');
  const [, note = '', folder] = /_DATA_NOTE=(\/var\/lib\/([a-z-]+)\/hub)$/m.exec(unit) ?? [];
  assert.match(unit, new RegExp(`^StateDirectory=heliograph ${folder}$`, 'm'));
  const command = readFileSync(join(root, 'usr/local/bin/heliograph'), 'utf8');
  assert.ok(note !== '' && command.includes(note), command);
});

testWithPeers(
  'the units are clean by systemd’s own check',
  ['systemd-analyze'],
  ([verify = '']) => {
    const { root, install } = lightSite();
    install();
    install('--regional');
    install('--workers', '2');
    for (const name of ['heliograph', 'heliograph-regional', 'heliograph-regional-worker@']) {
      const path = join(root, `etc/systemd/system/${name}.service`);
      const checked = spawnSync(verify, ['verify', '--man=no', path], { encoding: 'utf8' });
      assert.equal(`${checked.stdout}${checked.stderr}`, '');
      assert.equal(checked.status, 0);
      // Tenths of a point, of a hundred; a unit without any line of hardening has 96.
      const judged = spawnSync(verify, ['security', '--offline=true', '--threshold=20', path]);
      assert.equal(judged.status, 0, `${name} is less closed than it was`);
    }
  },
);

testWithPeers('shell scripts are clean by shellcheck', ['shellcheck'], ([shellcheck = '']) => {
  const scripts = ['deploy/install.sh', '.ci/run'];
  const checked = spawnSync(shellcheck, scripts, { cwd: ROOT, encoding: 'utf8' });
  assert.equal(checked.stdout, '');
  assert.equal(checked.status, 0);
});
