/** `status` and `log` against the real API over a real socket. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { EXIT } from '../../../src/cli/io.ts';
import { renderLine } from '../../../src/cli/power/log.ts';
import { renderStatus } from '../../../src/cli/asking/status.ts';
import { OWN_TIMES, readerTimes } from '../../../src/cli/power/reader-times.ts';
import type { StatusSnapshot } from '../../../src/status/snapshot.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { machineHttpClient } from '../../../src/platform/network/http/http-client.ts';
import { type HttpServer, serveHttp } from '../../../src/platform/network/http/http-server.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { createApi } from '../../../src/status/api/api.ts';
import type { Api } from '../../../src/status/http/serve-api.ts';
import { CliWorld } from '../../support/simulated/cli.ts';
import { NOON_MS, SampleSources, sampleStatus } from '../../support/made/status.ts';

let sources: SampleSources;
let api: Api;
let server: HttpServer;
let world: CliWorld;
const http = machineHttpClient;

beforeEach(async () => {
  world = new CliWorld();
  sources = new SampleSources(new SimClock(NOON_MS));
  await listen();
});

afterEach(async () => {
  api.close();
  await server.close();
});

async function listen(auth?: Parameters<typeof createApi>[0]['auth']): Promise<void> {
  const options = sources.options({ timers: machineTimers });
  api = createApi(auth === undefined ? options : { ...options, auth });
  const fetch = (request: Request, remote: string) => api.fetch(request, remote);
  server = await serveHttp({ host: '127.0.0.1', port: 0, purpose: 'x', connectionsMax: 9, fetch });
}

const NAIROBI = readerTimes('Africa/Nairobi');

function plain(_: string, text: string): string {
  return text;
}

test('status tells the figures of the hub, found by its configuration', async () => {
  const { code, stdout } = await world.run(`status --set http.port=${server.port}`, { http });
  assert.equal(code, EXIT.done);
  assert.match(stdout, /^north-ridge  hub a1b2c3d4e5f60718  version 0\.1\.0  up 3 d 4 h$/m);
  assert.match(stdout, /^Power +normal: battery 64 ± 3 %, 13\.24 V; panel 41\.0 W; load 3\.6 W$/m);
  assert.match(stdout, /^Waiting +record +12 ops +3\.4 kB +oldest 5 min$/m);
  assert.match(
    stdout,
    /^Uplink +catching up; idle over cellular, last receipt 12 min ago, 3\.4 MB today$/m,
  );
  assert.match(
    stdout,
    /^ +7 sessions today, thought to have cost 0\.42 Wh; measured on 2 of them: 0\.19 instead of 0\.21 Wh$/m,
  );
  assert.match(
    stdout,
    /^Storage +journal 9 % of 4\.3 GB, 4871 entries since the oldest without receipt$/m,
  );
});

test('status --json is the document of the API', async () => {
  const argv = `status --json --url http://127.0.0.1:${server.port}/ignored`;
  const { stdout } = await world.run(argv, { http });
  assert.deepEqual(JSON.parse(stdout), sources.status);
});

test('faults stand first, with what to do; nothing known is said as unknown', () => {
  const unknown = { socPct: null, socErrPct: null, batteryV: null, pvW: null, loadW: null };
  const text = renderStatus(
    sampleStatus({
      power: { ...sampleStatus().power, ...unknown, state: 'unknown', ageS: null },
      faults: [{ code: 'journal.full', message: 'No\u001b[2J room', hint: 'Do this.', since: '' }],
      security: { mode: 'open', openLan: true },
      uplink: { ...sampleStatus().uplink, state: 'off' },
    }),
    plain,
  );
  const lines = text.split('\n');
  assert.equal(lines[2], '! No\ufffd[2J room (journal.full)');
  assert.equal(lines[3], '  Do this.');
  assert.match(text, /! Mode open on the network/);
  assert.match(
    text,
    /battery charge unknown, voltage not measured; panel not measured; load not measured/,
  );
  assert.match(text, /Uplink +off: data stays in the journal/);
});

test('a hub without any source of readings is not on mains, unless it was told so', () => {
  const none = { source: 'none', socPct: null, ageS: null };
  const powerOf = (state: string): string =>
    renderStatus(sampleStatus({ power: { ...sampleStatus().power, ...none, state } }), plain);
  assert.match(powerOf('normal'), /^Power +normal: on mains\nWaiting/m);
  assert.match(
    powerOf('unknown'),
    /^Power +unknown: no source tells .* with caution\n.*power\.sources = \["none"\]/m,
  );
});

test('a battery that must recover: when sync goes on is told', () => {
  const powerOf = (state: string, backAt: string | null): string => {
    const power = { ...sampleStatus().power, state, backAt };
    return renderStatus(sampleStatus({ power }), plain, NAIROBI);
  };
  assert.match(
    powerOf('shutdown', '2026-03-02T09:20:00.000Z'),
    /^ +nothing is sent, .* sync goes on about 2026-03-02 12:20, in 21 h/m,
  );
  assert.match(powerOf('shutdown', null), /sync goes on when the sun is back$/m);
  assert.doesNotMatch(powerOf('critical', null), /sync goes on/);
});

test('who sends by hand is told, and until when by the clock of who reads', () => {
  const powerOf = (override: StatusSnapshot['power']['override']): string => {
    const power = { ...sampleStatus().power, override };
    return renderStatus(sampleStatus({ power }), plain, NAIROBI);
  };
  const until = '2026-03-01T12:30:00.000Z';
  const byHand = /^Power .*\n.*\n +ana sends by hand until 2026-03-01 15:30\nWaiting/m;
  assert.match(powerOf({ until, who: 'ana', held: false }), byHand);
  assert.match(
    powerOf({ until, who: 'ana', held: true }),
    /15:30; the battery is too low for it$/m,
  );
  assert.doesNotMatch(powerOf(null), /by hand/);
  const status = sampleStatus({ clock: { at: '2026-03-01T12:00:30.500Z', quality: 'ntp' } });
  const clock = /^Clock +2026-03-01 15:00:30, set by a time server$/m;
  assert.match(renderStatus(status, plain, NAIROBI), clock);
});

test('colour comes on a terminal only, and not where NO_COLOR is set', async () => {
  const argv = `status --url http://127.0.0.1:${server.port}`;
  const escape = /\u001b\[/; // oxlint-disable-line no-control-regex -- It looks for just that.
  assert.doesNotMatch((await world.run(argv, { http })).stdout, escape);
  assert.match((await world.run(argv, { http, isTty: true })).stdout, escape);
  const env = { NO_COLOR: '1' };
  assert.doesNotMatch((await world.run(argv, { http, isTty: true, env })).stdout, escape);
});

test('a hub that is not there is exit code 4, with its address', async () => {
  await server.close();
  const { code, stderr } = await world.run(`status --url http://127.0.0.1:${server.port}`, {
    http,
  });
  assert.equal(code, EXIT.unreachable);
  assert.match(stderr, new RegExp(`no answer from http://127\\.0\\.0\\.1:${server.port}: `));
});

test('something else than a hub at that address is told apart', async () => {
  const fetch = (): Response => new Response('<html>');
  const other = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    purpose: 'x',
    connectionsMax: 9,
    fetch,
  });
  const { code, stderr } = await world.run(`status --url http://127.0.0.1:${other.port}`, { http });
  assert.equal(code, EXIT.unreachable);
  assert.match(stderr, /is not a hub/);
  await other.close();
});

test('in mode password a user and a password file open the hub', async () => {
  api.close();
  await server.close();
  await listen({
    authenticate: ({ username, password, clientId }) =>
      Promise.resolve(
        username === 'ana' && new TextDecoder().decode(password) === 'geheim'
          ? { name: 'ana', role: 'operator', clientId }
          : undefined,
      ),
    mayRead: () => true,
  });
  const url = `--url http://127.0.0.1:${server.port}`;
  const refused = await world.run(`status ${url}`, { http });
  assert.equal(refused.code, EXIT.failed);
  assert.match(refused.stderr, /asks for a user.*--user NAME --password-file FILE/s);
  world.files.replace('/pw', utf8('geheym\n'));
  const mistyped = await world.run(`status ${url} --user ana --password-file /pw`, { http });
  assert.match(mistyped.stderr, /does not know this user with this password/);
  world.files.replace('/pw', utf8('geheim\n'));
  assert.equal((await world.run(`status ${url} --user ana --password-file /pw`, { http })).code, 0);
  assert.equal((await world.run(`status ${url} --user ana`, { http })).code, EXIT.usage);
  assert.equal(
    (await world.run(`status ${url} --user a --password-file /x`, { http })).code,
    EXIT.usage,
  );
});

test('an address that cannot be one is bad usage', async () => {
  assert.equal((await world.run('status --url hub', { http })).code, EXIT.usage);
  assert.equal((await world.run('status --url ftp://hub', { http })).code, EXIT.usage);
  assert.match((await world.run('status --set http.port=0', { http })).stderr, /give --url/);
});

test('log shows a line a decision since a moment or an age, or the lines as they are', async () => {
  const url = `--url http://127.0.0.1:${server.port}`;
  const all = await world.run(`log ${url}`, { http });
  assert.match(
    all.stdout,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}saver +– {2}photos wait\n.*records go\n$/s,
  );
  world.clock.jumpWall(0, 'unknown'); // An age counts by the hub's clock, and the reader's may be wrong.
  const recent = await world.run(`log --since 15m ${url}`, { http });
  assert.doesNotMatch(recent.stdout, /photos wait/);
  assert.match(recent.stdout, /records go/);
  const json = await world.run(`log --json --since 2026-03-01T11:45:00Z ${url}`, { http });
  assert.deepEqual(JSON.parse(json.stdout), sources.lines[1]);
  const nothing = await world.run(`log --since 2026-03-02T00:00:00Z ${url}`, { http });
  assert.deepEqual([nothing.code, nothing.stdout], [EXIT.done, '']);
  assert.equal(nothing.stderr, 'No line: a decision is told when it changes.\n');
  assert.equal((await world.run(`log --since soon ${url}`, { http })).code, EXIT.usage);
});

test('log --follow goes on until interrupted, and says so where the hub ends it', async () => {
  const interrupt = new AbortController();
  let seen = '';
  const stdout = (text: string): void => {
    seen += text;
    if (text.includes('records go')) {
      sources.say({
        at: '2026-03-01T12:01:00.000Z',
        event: 'decision',
        state: 'normal',
        why: 'sun',
      });
    }
    if (text.includes('sun')) interrupt.abort();
  };
  const url = `--url http://127.0.0.1:${server.port}`;
  const { code } = await world.run(`log --follow ${url}`, {
    http,
    stdout,
    signal: interrupt.signal,
  });
  assert.equal(code, EXIT.done);
  assert.equal(seen.trimEnd().split('\n').length, 3);
  const ended = await world.run(`log --follow ${url}`, { http, stdout: () => api.close() });
  assert.equal(ended.code, EXIT.unreachable);
});

test('a transfer without a sentence is shown by its figures, and nothing commands the terminal', () => {
  const sent = { event: 'batch.sent', ops: 1, bytes: 12_400, energyWh: 0.313, link: 'cellular' };
  assert.match(renderLine(sent, plain), /batch\.sent +– {2}1 op, 12 kB, 0\.31 Wh, over cellular$/);
  assert.match(
    renderLine({ event: 'decision', state: 'saver', socPct: 41.4, why: 'a\u0007b' }, plain),
    /41 % {2}a\ufffdb$/,
  );
  assert.match(renderLine({ event: 7 }, plain), /^\?/);
  const doubtful = { at: '2026-03-01T12:00:00Z', clock: 'unknown', event: 'state', why: 'x' };
  assert.match(renderLine(doubtful, plain), /^[-0-9]{10} [0-9:]{8}\? state/);
});

test('log --explain tells the numbers below each line', async () => {
  sources.say({
    at: '2026-03-01T11:50:00.000Z',
    event: 'decision',
    numbers: { sessionWh: 1 },
  });
  const argv = `log --explain --url http://127.0.0.1:${server.port}`;
  const { stdout } = await world.run(argv, { http });
  assert.match(stdout, /^ {4}plan {7}a session costs 1 Wh$/m);
});

test('override begins and ends sending by hand', async () => {
  const url = `--url http://127.0.0.1:${server.port}`;
  const begun = await world.run(`override --for 90m ${url}`, { http });
  assert.equal(begun.code, EXIT.done);
  const until = OWN_TIMES.minute(NOON_MS + 90 * 60_000);
  assert.ok(begun.stdout.startsWith(`Everything goes for 1 h 30 min, until ${until} by the hub's`));
  assert.equal(sources.override?.untilMs, NOON_MS + 90 * 60_000);
  await world.run(`override --end ${url}`, { http });
  assert.equal(sources.override, undefined);
  sources.isHeld = true;
  const held = await world.run(`override --for 90m ${url}`, { http });
  assert.match(held.stdout, /^Nothing goes: /);
  assert.ok(held.stdout.includes(`everything goes until ${until} by the hub's clock`));
});

test.each(['', '--for 30m --end', '--for soon', '--for 0m', '--for 2d'])(
  'override %s is no usage',
  async (flags) => {
    assert.equal((await world.run(`override ${flags}`)).code, EXIT.usage);
  },
);

test('power probe asks a hub for what its sources tell', async () => {
  sources.sources.push(
    { source: 'hwmon', field: 'batteryVolts', value: '13.10', unit: 'V', ageS: 3 },
    { source: 'sysfs', value: 'no battery here', unit: '' },
  );
  const argv = `power probe --url http://127.0.0.1:${server.port}`;
  const { code, stdout } = await world.run(argv, { http });
  assert.equal(code, EXIT.done);
  assert.match(stdout, /^hwmon +battery voltage +13\.10 +V +3 s ago$/m);
  assert.match(stdout, /^sysfs +no battery here$/m);
  const live = await world.run(`${argv} --seconds 0`, { http, isTty: true });
  assert.ok(live.stdout.startsWith('\u001b[H\u001b[J'), 'lines that wrap cannot be counted back');
  sources.sources.splice(0, 1);
  assert.equal((await world.run(argv, { http })).code, EXIT.failed, 'no source tells anything');
});

test('power probe opens the sources itself where no hub runs', async () => {
  const mains = await world.run('power probe --json --seconds 0 --set power.sources=none');
  const rows = JSON.parse(mains.stdout) as { source: string; field: string; value: string }[];
  assert.ok(rows.some(({ field, value }) => field === 'mains' && value === 'yes'));
  assert.equal(mains.code, EXIT.done);
  const hubOnly = await world.run('power probe --seconds 0 --set power.sources=mqtt:meter#volts');
  assert.match(hubOnly.stdout, /start it for this one/);
  assert.equal(hubOnly.code, EXIT.failed);
});

test('records list --json is one document, however many pages the hub makes of them', async () => {
  const pages = [
    { records: ['order/1', 'order/"2"'], next: 'order/"2"' },
    { records: ['order/3'], next: null },
  ];
  const get = () => Promise.resolve({ status: 200, text: JSON.stringify(pages.shift()) });
  const asked = { ...http, get };
  const argv = `records list --json --url http://127.0.0.1:${server.port}`;
  const { stdout } = await world.run(argv, { http: asked });
  assert.deepEqual(JSON.parse(stdout), ['order/1', 'order/"2"', 'order/3']);
  pages.push({ records: [], next: null });
  assert.deepEqual(JSON.parse((await world.run(argv, { http: asked })).stdout), []);
});

test('what is no op cannot be undone: bad usage, and no hub is asked', async () => {
  const { code, stderr } = await world.run('undo order/1');
  assert.equal(code, EXIT.usage);
  assert.match(stderr, /order\/1 is no op, such as/);
});
