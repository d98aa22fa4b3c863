import assert from 'node:assert/strict';
import { beforeEach, test } from 'vitest';

import { hexOf, textOf, utf8 } from '../../../src/base/bytes.ts';
import { type Command, parseCommandArgs, UsageError } from '../../../src/cli/args.ts';
import { runCli } from '../../../src/cli/cli.ts';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { EXIT } from '../../../src/cli/io.ts';
import { HubError } from '../../../src/base/errors.ts';
import type { Files } from '../../../src/platform/files/files.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';
import { batchOpener } from '../../../src/keys/batch-seal.ts';
import { readUsers } from '../../../src/security/users.ts';
import { CliWorld } from '../../support/simulated/cli.ts';

let world: CliWorld;

beforeEach(() => {
  world = new CliWorld();
});

interface Named {
  readonly journal: { readonly segment_mib: number };
}

test('help lists every command for people, and each command tells its own options', async () => {
  const overview = await world.run('--help');
  assert.equal(overview.code, EXIT.done);
  for (const command of COMMANDS) {
    const isListed = new RegExp(`^  ${command.name}`, 'm').test(overview.stdout);
    assert.equal(isListed, command.isInternal !== true, command.name);
    const help = await world.run(`${command.name} --help`);
    assert.equal(help.code, EXIT.done);
    assert.match(help.stdout, new RegExp(`^Usage: heliograph ${command.name}`));
    for (const name of Object.keys(command.options ?? {}))
      assert.ok(help.stdout.includes(`--${name}`));
    for (const line of help.stdout.split('\n')) assert.ok(line.length <= 100, line);
  }
});

test('help X tells what X --help tells, and nothing of what there is not', async () => {
  for (const name of ['status', 'journal verify', 'journal'])
    assert.deepEqual(await world.run(`help ${name}`), await world.run(`${name} --help`));
  const typo = await world.run('help statsu');
  assert.deepEqual([typo.code, typo.stdout], [EXIT.usage, '']);
  assert.match(typo.stderr, /Did you mean `heliograph status`\?/);
  assert.equal((await world.run('help')).stdout, (await world.run('--help')).stdout);
});

test('the overview begins with what is asked at night; a command names those that go further', async () => {
  const { stdout } = await world.run('--help');
  assert.match(stdout, /OPTION\]…\n\nHow a site is, and what to do:\n {2}status .*\n {2}doctor /s);
  const conflicts = (await world.run('conflicts --help')).stdout;
  assert.match(conflicts, /\n\n {2}conflicts list .*\n {2}conflicts resolve KEY /s);
  assert.doesNotMatch((await world.run('demo --help')).stdout, /demo devices/);
});

test('every command of the table loads', async () => {
  for (const command of COMMANDS) assert.equal(typeof (await command.load()), 'function');
});

test('no command at all, an unknown one and half of one are bad usage with advice', async () => {
  const none = await world.run('');
  assert.deepEqual([none.code, none.stdout], [EXIT.usage, '']);
  assert.match(none.stderr, /Usage: heliograph COMMAND/);
  const typo = await world.run('staus --json');
  assert.equal(typo.code, EXIT.usage);
  assert.match(typo.stderr, /no command "staus"\. Did you mean `heliograph status`\?/);
  const half = await world.run('user');
  assert.equal(half.code, EXIT.usage);
  assert.match(
    half.stderr,
    /^Usage: heliograph user COMMAND.*\n  user add NAME .*\n  user remove NAME /s,
  );
  const bench = (await world.run('bench --help')).stdout;
  assert.match(bench, /^  bench drain +measure/m);
  assert.doesNotMatch(bench, /bench load/, 'what other commands start is no command for people');
  assert.equal((await world.run('user --help')).code, EXIT.done);
  assert.equal((await world.run('staus --help')).code, EXIT.usage);
  assert.equal((await world.run('--version')).stdout, 'heliograph 1.2.3\n');
});

test('all mistakes in the arguments are named together', async () => {
  const { code, stderr } = await world.run('user add --jsn --role --data=');
  assert.equal(code, EXIT.usage);
  assert.match(stderr, /unknown option --jsn; did you mean --json\?/);
  assert.match(stderr, /NAME is missing/);
  assert.match(stderr, /See `heliograph user add --help`/);
  assert.match((await world.run('config extra')).stderr, /what is "extra"\?/);
  assert.match((await world.run('config --json=yes')).stderr, /--json takes no value/);
  assert.match((await world.run('config --data')).stderr, /--data needs a value: DIR/);
  const swallowed = await world.run('override --for --set site=a');
  assert.match(swallowed.stderr, /^--for needs a value/);
});

test('numbers are checked against their range', () => {
  const command: Command = {
    name: 'x',
    summary: 'x',
    options: { hours: { value: 'N', help: 'h' } },
    load: () => assert.fail('not run'),
  };
  assert.equal(parseCommandArgs(command, ['--hours', '24']).number('hours', 1, 48), 24);
  assert.equal(parseCommandArgs(command, []).number('hours', 1, 48), undefined);
  for (const text of ['0', '49', 'x', '', ' ']) {
    assert.throws(
      () => parseCommandArgs(command, [`--hours=${text}`]).number('hours', 1, 48),
      UsageError,
    );
  }
});

test('the configuration is found by option, by environment, and its mistakes are all told', async () => {
  world.files.replace('/a.toml', utf8('site = "from-file"'));
  const printed = await world.run('config --config /a.toml --set http.port=81 --data "/d d"');
  assert.equal(printed.code, EXIT.done);
  assert.match(printed.stdout, /^site = "from-file"$/m);
  assert.match(printed.stdout, /^data = "\/d d"$/m);
  assert.match(printed.stdout, /^port = 81$/m);
  const byEnv = await world.run('config --json', { env: { HELIOGRAPH_CONFIG: '/a.toml' } });
  assert.equal((JSON.parse(byEnv.stdout) as { site: string }).site, 'from-file');

  world.files.replace('/b.toml', utf8('sitee = "x"\n[broker]\nport = -1'));
  const bad = await world.run('config --config /b.toml --set x=1');
  assert.deepEqual([bad.code, bad.stdout], [EXIT.usage, '']);
  assert.deepEqual(
    bad.stderr
      .trim()
      .split('\n')
      .map((line) => line.split(': ').slice(0, 2)),
    [
      ['/b.toml:1', 'sitee'],
      ['/b.toml:3', 'broker.port'],
      ['--set', 'x'],
    ],
  );
  const none = await world.run('config --config /none.toml');
  assert.deepEqual([none.code, none.stderr], [EXIT.usage, '/none.toml: there is no such file\n']);
  const folder = await world.run('config --config /', { files: machineFiles });
  assert.deepEqual([folder.code, folder.stderr], [EXIT.usage, '/: is a folder, not a file\n']);
  const device = await world.run('config --config /dev/zero', { files: machineFiles });
  const why = '/dev/zero: is a pipe or a device, not a file\n';
  assert.deepEqual([device.code, device.stderr], [EXIT.usage, why]);
  const names = JSON.parse((await world.run('config --json')).stdout) as Named;
  assert.equal(names.journal.segment_mib, 16, 'keys as --set and the file know them');
});

test('a file that the system refuses is a fault with a hint, not a crash', async () => {
  const refused = Object.assign(new Error("EACCES: permission denied, scandir '/var/h'"), {
    code: 'EACCES',
    syscall: 'scandir',
  });
  for (const command of ['user list', 'doctor']) {
    const files = Object.create(world.files) as typeof world.files;
    files.list = files.read = () => {
      throw refused;
    };
    const { code, stderr } = await world.run(`${command} --data /var/h`, {
      files: files as Partial<Files> as Files,
    });
    assert.equal(code, EXIT.failed, command);
    assert.match(stderr, /^EACCES: .* '\/var\/h' \(files\.refused\)\nCheck path and owner/);
  }
});

test('users are added, listed and removed in the data directory', async () => {
  const added = await world.run('user add meter7 --data /var/h');
  assert.equal(added.code, EXIT.done);
  assert.match(added.stdout, /^([a-z0-9]{5}-){4}[a-z0-9]{5}\n$/);
  assert.match(added.stderr, /Added device meter7.*mode password only/s);
  await world.run('user add ana --role technician --data /var/h');
  assert.equal(
    (await world.run('user list --data /var/h')).stdout,
    'meter7  device\nana     technician\n',
  );
  assert.equal((await world.run('user add ana --data /var/h')).code, EXIT.failed);
  assert.equal((await world.run('user remove nobody --data /var/h')).code, EXIT.failed);
  assert.equal((await world.run('user add a/b --data /var/h')).code, EXIT.usage);
  assert.equal((await world.run('user add x --role king --data /var/h')).code, EXIT.usage);
  const removed = await world.run('user remove meter7 --data /var/h');
  assert.deepEqual([removed.code, removed.stdout], [EXIT.done, '']);
  assert.match(removed.stderr, /^Removed meter7\./);
  assert.deepEqual([...readUsers(world.files, '/var/h').keys()], ['ana']);
  const json = await world.run('user add bob --data /var/h --json --set security.mode=password');
  assert.deepEqual(Object.keys(JSON.parse(json.stdout) as object), ['name', 'role', 'password']);
  assert.doesNotMatch(json.stderr, /mode password only/);
});

test.each([
  ['listen.refused', EXIT.usage],
  ['data.locked', EXIT.locked],
  ['hub.unreachable', EXIT.unreachable],
  ['journal.damaged', EXIT.failed],
] as const)('a fault %s ends with code %i, its message and its hint', async (code, exit) => {
  let stderr = '';
  const command: Command = {
    name: 'x',
    summary: 'x',
    load: () => Promise.resolve(() => Promise.reject(new HubError(code, 'it is so'))),
  };
  const io = { stderr: (text: string) => (stderr += text) };
  assert.equal(await runCli([command], ['x'], io as never), exit);
  assert.match(stderr, new RegExp(`^it is so \\(${code}\\)\\n\\S`));
});

test('a bug is not explained away', async () => {
  const command: Command = {
    name: 'x',
    summary: 'x',
    load: () => Promise.resolve(() => Promise.reject(new TypeError('boom'))),
  };
  await assert.rejects(runCli([command], ['x'], {} as never), TypeError);
});

test('the private half of an operator key goes into a file, once, the public half to stdout', async () => {
  const made = await world.run('operator-key /k/op.pem --json');
  assert.equal(made.code, EXIT.done);
  const { publicKey, keyId } = JSON.parse(made.stdout) as { publicKey: string; keyId: string };
  const pem = textOf(world.files.read('/k/op.pem') ?? new Uint8Array()) ?? '';
  assert.ok(!made.stdout.includes(pem.split('\n')[1] ?? '-'), 'never the private half');
  assert.equal(hexOf(batchOpener(pem, 'op.pem').keyIds[0] ?? new Uint8Array()), keyId);
  assert.match(publicKey, /^[A-Za-z0-9+/]{43}=$/);
  assert.equal((await world.run('operator-key /k/op.pem')).code, EXIT.usage);
});

test('a token that is not taken sends to the hub for another one, not to users', async () => {
  const refused = { status: 403, text: '{"detail":"the token is unknown, used, or too old."}' };
  const no = (): never => assert.fail('only posts');
  const http = { get: no, exchange: no, follow: no, post: () => Promise.resolve(refused) };
  const link =
    'heliograph:enrol?name=hub-2&token=aje00-dbp8u&at=http%3A%2F%2Fhub%2F&ca=xCER5prYv5S0i7dIk0EdEShX4YHdjiDArPWwSPMfKuc';
  const { code, stderr } = await world.run(`enrol join ${link} --data /var/h`, { http });
  assert.equal(code, EXIT.failed);
  assert.match(stderr, /unknown, used, or too old\. \(enrol\.refused\)\nMake a new token/);
});
