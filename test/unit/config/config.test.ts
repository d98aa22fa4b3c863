import assert from 'node:assert/strict';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { must } from '../../../src/base/assert.ts';
import { type ConfigInput, formatMistake, loadConfig } from '../../../src/config/config.ts';
import { renderConfig } from '../../../src/config/render.ts';
import type { Config } from '../../../src/config/schema.ts';

function loaded(text: string, more: Partial<ConfigInput> = {}): Config {
  const outcome = loadConfig({ file: { path: 'h.toml', bytes: utf8(text) }, ...more });
  if (outcome.kind === 'invalid') assert.fail(outcome.mistakes.map(formatMistake).join('\n'));
  return outcome.config;
}

function mistakesOf(text: string, more: Partial<ConfigInput> = {}): string[] {
  const outcome = loadConfig({ file: { path: 'h.toml', bytes: utf8(text) }, ...more });
  return outcome.kind === 'ok' ? [] : outcome.mistakes.map(formatMistake);
}

function onlyMistake(text: string, more: Partial<ConfigInput> = {}): string {
  const mistakes = mistakesOf(text, more);
  assert.equal(mistakes.length, 1, `one mistake, not: ${mistakes.join('; ')}`);
  return must(mistakes[0], 'one');
}

test('without anything given, the defaults of the public contract hold', () => {
  const config = loaded('');
  assert.equal(config.site, 'demo');
  assert.equal(config.broker.port, 1883);
  assert.equal(config.http.host, '127.0.0.1');
  assert.equal(config.journal.totalMibMax, 4096);
  assert.equal(config.journal.onFull, 'refuse');
  assert.deepEqual(config.capture, []);
  assert.deepEqual(config.power.sources, ['auto']);
  assert.equal(config.power.thresholds.bulkPausePct, undefined);
  assert.equal(config.security.mode, 'open');
  assert.equal(config.regional.port, 2883);
});

test('the file is read into sections, nested tables and rows', () => {
  const config = loaded(`
    site = "north-ridge"
    [journal]
    segment_mib = 4
    linger_ms = { telemetry = 5 }
    [[capture]]
    filter = "alarms/#"
    class = "alarm"
    [[capture]]
    filter = "photos/+"
    class = "bulk"
    keep = "latest"
    [power.thresholds]
    bulk_pause_pct = 50.5`);
  assert.equal(config.site, 'north-ridge');
  assert.equal(config.journal.segmentMib, 4);
  assert.equal(config.journal.lingerMs.telemetry, 5);
  assert.deepEqual(config.capture, [
    { filter: 'alarms/#', class: 'alarm', keep: 'all' },
    { filter: 'photos/+', class: 'bulk', keep: 'latest' },
  ]);
  assert.equal(config.power.thresholds.bulkPausePct, 50.5);
});

test('the environment stands above the file, and --set above both', () => {
  const env = {
    HELIOGRAPH_BROKER__PORT: '2000',
    HELIOGRAPH_HTTP__PORT: '2001',
    HELIOGRAPH_SITE: 'env',
  };
  const config = loaded('site = "file"\n[broker]\nport = 1', { env, sets: ['http.port=2002'] });
  assert.deepEqual([config.site, config.broker.port, config.http.port], ['env', 2000, 2002]);
});

test('--set takes TOML, bare text and bare lists', () => {
  const sets = [
    'site=42',
    'data=/var/lib/a b',
    'security.allow_open_lan=true',
    'power.sources=sysfs,ve-direct:/dev/ttyUSB0',
    'grant=[{ user = "ana", read = ["a/#", "b"] }]',
    'capture=[{ filter = "a/#", class = "alarm" }]',
    'uplink.url=mqtt://up.example:1883',
  ];
  const config = loaded('', { sets });
  assert.equal(config.site, '42');
  assert.equal(config.data, '/var/lib/a b');
  assert.equal(config.security.allowOpenLan, true);
  assert.deepEqual(config.power.sources, ['sysfs', 've-direct:/dev/ttyUSB0']);
  assert.deepEqual(config.grant[0]?.read, ['a/#', 'b']);
  assert.deepEqual(config.capture, [{ filter: 'a/#', class: 'alarm', keep: 'all' }]);
  assert.equal(config.uplink.url, 'mqtt://up.example:1883');
});

test('a value of --set cannot smuggle in other keys', () => {
  assert.match(
    onlyMistake('', { sets: ['broker.port=1\nsite = "x"'] }),
    /^--set: broker\.port: .* is not allowed/,
  );
});

test('every mistake of file, environment and --set is reported at once, with its place', () => {
  const text = [
    'site = "a b"',
    '[broker]',
    'prot = 1883',
    'port = 70000',
    '[[capture]]',
    'filter = "a/#/b"',
    '[[capture]]',
    'class = "alram"',
    '[journal]',
    'segment_mib = "16"',
  ].join('\n');
  const mistakes = mistakesOf(text, {
    env: { HELIOGRAPH_BROKER__HOTS: 'x' },
    sets: ['http.port=high', 'nonsense'],
  });
  const starts = mistakes.map((mistake) => mistake.split(' ')[0] + ' ' + mistake.split(' ')[1]);
  assert.deepEqual(starts, [
    'h.toml:1: site:',
    'h.toml:3: broker.prot:',
    'h.toml:4: broker.port:',
    'h.toml:6: capture[0].filter:',
    'h.toml:8: capture[1].class:',
    'h.toml:7: capture[1].filter:',
    'h.toml:10: journal.segment_mib:',
    'HELIOGRAPH_BROKER__HOTS: broker.hots:',
    '--set: http.port:',
    '--set: nonsense:',
  ]);
  assert.match(must(mistakes[1], 'second'), /unknown key; did you mean broker\.port\?/);
  assert.match(must(mistakes[2], 'third'), /70000 is not allowed; a whole number, 0 … 65535/);
});

test('a file that is no TOML, no text or not there is one clear mistake', () => {
  assert.match(onlyMistake('a = 1\nb = [1,'), /^h\.toml:\d+: is not TOML: /);
  const absent = loadConfig({ file: { path: 'x.toml', bytes: 'there is no such file' } });
  assert.equal(absent.kind === 'invalid' && absent.mistakes[0]?.where, 'x.toml');
  const binary = loadConfig({ file: { path: 'x.toml', bytes: Uint8Array.of(0xff) } });
  assert.match(
    binary.kind === 'invalid' ? formatMistake(must(binary.mistakes[0], '')) : '',
    /UTF-8/,
  );
});

test('secrets are refused and never shown', () => {
  const password = onlyMistake('[uplink]\npassword = "hunter2"');
  assert.match(password, /name that in `password_file`/);
  assert.doesNotMatch(password, /hunter2/);
  const url = onlyMistake('[uplink]\nurl = "mqtt://me:hunter2@up.example"');
  assert.match(url, /without user and password/);
  assert.doesNotMatch(url, /hunter2/);
});

test('variables that containers set by themselves do not stop the hub', () => {
  const env = { HELIOGRAPH_PORT: 'tcp://10.0.0.1:1883', HELIOGRAPH_SERVICE_HOST: '10.0.0.1' };
  assert.deepEqual(mistakesOf('', { env }), []);
});

test('rules between keys are checked on the whole, named by the key that was given', () => {
  assert.match(
    onlyMistake('[http]\nport = 1883'),
    /^h\.toml:2: http\.port: is the port of broker\.port/,
  );
  assert.match(onlyMistake('[broker]\ntls_port = 8883\ntls_cert_file = "c"'), /tls_key_file/);
  assert.match(
    onlyMistake('[journal]\nsegment_mib = 1000\ntotal_mib_max = 2000'),
    /three segments/,
  );
  assert.match(
    onlyMistake('[power.thresholds]\nbulk_pause_pct = 60\nbulk_resume_pct = 55'),
    /60 must be below power\.thresholds\.bulk_resume_pct/,
  );
  assert.match(onlyMistake('[power]\nsources = ["none", "sysfs"]'), /stands alone/);
  assert.match(
    onlyMistake('[[capture]]\nfilter = "a/#"\n[[capture]]\nfilter = "a/#"\nclass = "alarm"'),
    /^h\.toml:4: capture\[1\]\.filter: never matches/,
  );
  assert.match(onlyMistake('[peer]\naddresses = ["mqtt://a:1"]'), /peer\.enabled/);
  assert.match(onlyMistake('[[grant]]\npublish = ["a"]'), /either a user or a role/);
});

test.each([
  ['journal.on_full="drop-bulk"', /uplink\.url is empty/],
  ['regional.database="mysql://x"', /postgres/],
  ['regional.database="postgres://me:secret@x/y"', /without a password/],
])('%s is refused instead of ignored', (set, why) => {
  assert.match(onlyMistake('', { sets: [set] }), why);
});

test.each(['ana:sek@ret', 'ana:sek/ret', 'ana:sek ret', 'ana:sek\\"ret'])(
  'no part of a login in a URL (%s) stands in what is said of it',
  (login) => {
    const said = onlyMistake(`[uplink]\nurl = "mqtt://${login}@region.example"`);
    assert.match(said, /"mqtt:\/\/…@region\.example" is not allowed/);
  },
);

test.each(['$SYS/#', 'sync/#', 'hub/power', 'sync', 'a#', '+a', ''])(
  'a capture rule for %j is refused',
  (filter) => {
    assert.match(onlyMistake(`[[capture]]\nfilter = "${filter}"`), /topic filter/);
  },
);

test('a section given as a value, and a value given as a section, are mistakes', () => {
  assert.match(onlyMistake('broker = 3'), /a table: \[broker\]/);
  assert.match(onlyMistake('[site]\na = 1'), /site: \{"a":1\} is not allowed/);
  assert.match(onlyMistake('', { sets: ['broker=3'] }), /is a table/);
  assert.match(onlyMistake('capture = 3'), /\[\[capture\]\]/);
});

test('what is printed reads back as the same configuration', () => {
  const config = loaded(
    '[[capture]]\nfilter = "a/\\"b\\"/#"\nclass = "alarm"\n[power.thresholds]\nshutdown_v = 11.5',
    { sets: ['http.port=9000', 'power.sources=none', 'data=C:\\x'] },
  );
  const printed = renderConfig(config);
  assert.deepEqual(loaded(printed), config);
  assert.match(printed, /^# bulk_pause_pct =$/m);
  assert.match(printed, /^# Size of one file.* Allowed: a whole number of MiB, 1 … 1024\.$/m);
});

test('every key has a doc sentence and a default that its own rule allows', () => {
  const printed = renderConfig(loaded(''));
  assert.deepEqual(mistakesOf(printed), []);
  for (const line of printed.split('\n').filter((text) => text.includes('Allowed:'))) {
    assert.match(line, /^# ( {2}\w+: )?\S.{5,}Allowed: \S/);
  }
});
