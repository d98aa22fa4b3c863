/** Mode `enrolled` with the clients of Mosquitto: certificates over TLS, tokens, revocation, and a clock at 1970. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';

import { heliograph, type HubOptions, type RunningHub, startHub } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { freePort, type Spawned, spawnProcess } from '../support/machine/spawn.ts';
import { openClient } from '../support/hubs/mqtt-client.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Site {
  readonly data: string;
  readonly out: string;
  readonly tlsPort: number;
  readonly hub: RunningHub;
}

async function startSite(data: string, more: Partial<HubOptions> = {}): Promise<Site> {
  const tlsPort = await freePort();
  const sets = ['security.mode=enrolled', `broker.tls_port=${tlsPort}`];
  const hub = await startHub({ data, sets, ...more });
  return { data, out: tempDir(), tlsPort, hub };
}

async function enrol(data: string, ...args: string[]): Promise<Record<string, unknown>> {
  const command = heliograph(['enrol', ...args, '--data', data, '--json']);
  const line = await command.line(/^\{/);
  assert.equal(await command.exited, 0, command.lines.join('\n'));
  return JSON.parse(line) as Record<string, unknown>;
}

/** Arguments by which a Mosquitto client comes in with the member's files. */
function withCertificate({ data, out, tlsPort }: Site, name: string): string[] {
  const ca = ['--cafile', join(data, 'enrol/ca.pem')];
  const own = ['--cert', join(out, `${name}.crt`), '--key', join(out, `${name}.key`)];
  return ['-h', '127.0.0.1', '-p', String(tlsPort), ...ca, ...own, '-q', '1', '-i', name];
}

function run(program: string, args: readonly string[]): Spawned {
  return spawnProcess(program, args);
}

/** Environment of a process whose clock begins in 1970. */
function clockAt1970(faketime: string): Record<string, string> {
  const time = '@1970-01-02 00:00:00';
  const library = execFileSync(faketime, ['-f', time, 'printenv', 'LD_PRELOAD']);
  return {
    LD_PRELOAD: library.toString().trim(),
    FAKETIME: time,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

async function post(hub: RunningHub, body: unknown): Promise<Response> {
  return fetch(`${hub.httpUrl}api/v1/enrol`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

describe('mode enrolled', () => {
  testWithPeers(
    'a device with a certificate publishes over TLS; revoked, it is cut off and stays out',
    ['mosquitto_pub'],
    async ([pub = '']) => {
      const site = await startSite(tempDir());
      await enrol(site.data, 'device', 'meter-1', '--out', site.out);
      await site.hub.process.line(/security\.roster-changed/);
      const me = withCertificate(site, 'meter-1');
      const sent = run(pub, [...me, '-t', 'devices/meter-1/kwh', '-m', '12.7']);
      assert.equal(await sent.exited, 0, sent.lines.join('\n'));
      const others = run(pub, [...me, '-t', 'devices/meter-2/kwh', '-m', '1']);
      await others.exited;
      const client = await openClient(`mqtts://127.0.0.1:${site.tlsPort}`, {
        ca: readFileSync(join(site.data, 'enrol/ca.pem')),
        cert: readFileSync(join(site.out, 'meter-1.crt')),
        key: readFileSync(join(site.out, 'meter-1.key')),
      });
      const closed = new Promise((resolve) => client.once('close', () => resolve(undefined)));
      await enrol(site.data, 'revoke', 'meter-1');
      await closed;
      const late = run(pub, [...me, '-t', 'devices/meter-1/kwh', '-m', '13']);
      assert.notEqual(await late.exited, 0);
      await late.line(/not authorised/);
      const dump = heliograph(['journal', 'dump', '--data', site.data]);
      await dump.exited;
      const kept = dump.lines.filter((line) => line.includes('devices/meter'));
      assert.deepEqual(
        kept.map((line) => line.split(/\s\s+/).slice(-2)),
        [['devices/meter-1/kwh', '12.7']],
      );
    },
  );

  testWithPeers(
    'a token becomes credentials over HTTP with the key of the device, and only once',
    ['mosquitto_pub', 'openssl'],
    async ([pub = '', openssl = '']) => {
      const site = await startSite(tempDir());
      const keyPath = join(site.out, 'cam-1.key');
      execFileSync(openssl, [
        'ecparam',
        '-name',
        'prime256v1',
        '-genkey',
        '-noout',
        '-out',
        keyPath,
      ]);
      const publicKey = execFileSync(openssl, ['pkey', '-in', keyPath, '-pubout']).toString();
      const { token } = await enrol(site.data, 'token', 'cam-1');
      const answer = await post(site.hub, { name: 'cam-1', token, publicKey });
      assert.equal(answer.status, 200);
      const { certificate, ca } = (await answer.json()) as Record<string, string>;
      assert.equal(ca, readFileSync(join(site.data, 'enrol/ca.pem'), 'utf8'));
      writeFileSync(join(site.out, 'cam-1.crt'), certificate ?? '');
      const sent = run(pub, [
        ...withCertificate(site, 'cam-1'),
        '-t',
        'devices/cam-1/x',
        '-m',
        '1',
      ]);
      assert.equal(await sent.exited, 0, sent.lines.join('\n'));
      const replayed = await post(site.hub, { name: 'cam-1', token, publicKey });
      assert.equal(replayed.status, 403);
      const unasked = await fetch(`${site.hub.httpUrl}api/v1/status`);
      assert.equal(unasked.status, 401);
    },
  );

  testWithPeers(
    'a plain MQTT device gets its password for a token, and a person logs in over HTTP',
    ['mosquitto_pub'],
    async ([pub = '']) => {
      const site = await startSite(tempDir());
      const { token } = (await enrol(site.data, 'token', 'esp-1')) as { token: string };
      const plain = ['-h', '127.0.0.1', '-p', String(site.hub.mqttPort), '-q', '1', '-u', 'esp-1'];
      const waiting = await openClient(site.hub.mqttUrl, { username: 'esp-1', password: token });
      await waiting.subscribeAsync('sync/esp-1/enrolled');
      const answered = new Promise<Buffer>((resolve) => {
        waiting.once('message', (_, payload) => resolve(payload));
      });
      const request = JSON.stringify({ token });
      run(pub, [...plain, '-P', token, '-t', 'sync/esp-1/enrol', '-m', request]);
      const answer = await answered;
      waiting.end(true);
      const { password = '' } = JSON.parse(answer.toString()) as Record<string, string>;
      const sent = run(pub, [...plain, '-P', password, '-t', 'devices/esp-1/x', '-m', '1']);
      assert.equal(await sent.exited, 0, sent.lines.join('\n'));
      const again = run(pub, [...plain, '-P', token, '-t', 'sync/esp-1/enrol', '-m', request]);
      assert.notEqual(await again.exited, 0, 'the token is used');
      const login = `Basic ${btoa(`esp-1:${password}`)}`;
      const asked = await fetch(`${site.hub.httpUrl}api/v1/status`, {
        headers: { Authorization: login },
      });
      assert.equal(asked.status, 200);
    },
  );

  testWithPeers(
    'a hub whose clock stands at 1970 lets members in, and they trust it',
    ['mosquitto_pub', 'faketime'],
    async ([pub = '', faketime = '']) => {
      const data = tempDir();
      const site = await startSite(data, { env: clockAt1970(faketime) });
      await enrol(data, 'device', 'meter-1', '--out', site.out);
      await site.hub.process.line(/security\.roster-changed/);
      const args = [...withCertificate(site, 'meter-1'), '-t', 'devices/meter-1/x', '-m', '1'];
      const now = run(pub, args);
      assert.equal(await now.exited, 0, now.lines.join('\n'));
      const then = spawnProcess(pub, args, { env: clockAt1970(faketime) });
      assert.equal(await then.exited, 0, then.lines.join('\n'));
    },
  );

  testWithPeers(
    'a second hub joins the site by a token and serves the members of the first',
    ['mosquitto_pub'],
    async ([pub = '']) => {
      const first = await startSite(tempDir());
      await enrol(first.data, 'device', 'meter-1', '--out', first.out);
      const { link } = (await enrol(first.data, 'token', 'hub-2', '--hub')) as { link: string };
      const shown = heliograph(['enrol', 'token', 'cam-9', '--data', first.data]);
      await shown.exited;
      assert.match(shown.lines.join('\n'), /where no other machine finds this hub.*--at/);
      const data = tempDir();
      const join2 = heliograph(['enrol', 'join', link, '--data', data]);
      assert.equal(await join2.exited, 0, join2.lines.join('\n'));
      const second = { ...(await startSite(data)), out: first.out };
      const sent = run(pub, [
        ...withCertificate(second, 'meter-1'),
        '-t',
        'devices/meter-1/x',
        '-m',
        '1',
      ]);
      assert.equal(await sent.exited, 0, sent.lines.join('\n'));
      const refused = heliograph(['enrol', 'token', 'meter-2', '--data', data]);
      assert.equal(await refused.exited, 1);
      await refused.line(/enrol\.no-authority/);
    },
  );
});
