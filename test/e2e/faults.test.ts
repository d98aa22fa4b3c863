/**
 * Faults of the card, the disk and the clock against the real program: what test/fault/ proves on a simulated
 * disk, once more with the kernel's own. strace makes system calls fail or wait, a small tmpfs is really full.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { describe } from 'vitest';

import { eventually, getJson, readingsOf, type StatusView, uplinked } from '../support/hubs/api.ts';
import { healthOf } from '../support/hubs/damage.ts';
import { type RunningHub, startHub, startRegional } from '../support/hubs/hub.ts';
import { assertNothingLost, assertSameUpstream } from '../support/hubs/nothing-lost.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { Publisher } from '../support/hubs/publisher.ts';
import { freePort } from '../support/machine/spawn.ts';
import { fillDisk, smallDisk, testWithMounts } from '../support/machine/small-disk.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const AT_ONCE = 'capture=[{filter="#",class="alarm"}]';
const SMALL = ['journal.segment_mib=1', AT_ONCE];
const CLIENTS = 4;
const WINDOW = 10;
/** All syncs that are waited for elsewhere run on one thread, so that strace counts them as one row. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: '1' };

/** strace as a process of its own beside the hub: signals and exit code stay the hub's. */
function tracer(
  strace: string,
  { trace, inject, into }: { trace: string; inject: string; into: string },
): string[] {
  const what = ['-e', `trace=${trace}`, '-e', `inject=${inject}`, '-o', into];
  return [strace, '-D', '-f', '--seccomp-bpf', '-qq', '-s', '128', ...what];
}

describe('the card fails a sync', () => {
  testWithPeers(
    'nothing is acknowledged after it; the hub ends with a clear word, and the next one has everything',
    ['strace'],
    async ([strace = '']) => {
      const data = tempDir();
      const trace = `${data}/trace`;
      const region = await startRegional({ data });
      const mqttPort = await freePort();
      const sets = [`uplink.url=${region.mqttUrl}`, ...SMALL];
      const publisher = new Publisher();
      for (const nth of [30, 60, 200]) {
        const fault = `fdatasync:error=EIO:when=${nth}+`;
        const under = tracer(strace, {
          trace: 'fdatasync,write,writev',
          inject: fault,
          into: trace,
        });
        const hub = await startHub({ data, sets, mqttPort, under, env: ONE_THREAD });
        await publisher.start(mqttPort, CLIENTS, WINDOW);
        assert.equal(await hub.process.exited, 1);
        publisher.stop();
        const said = hub.process.lines.join('\n');
        assert.match(said, /journal\.poisoned/);
        assert.match(said, /EIO/);
        assertNoAckAfterFault(trace);
      }
      const hub = await startHub({ data, sets, mqttPort });
      assert.match(await hub.process.line(/journal\.opened/), /"crashed":true/);
      await assertNothingLost(hub, publisher);
      await assertSameUpstream(hub, region);
      assert.ok(publisher.acknowledged.length > 100);
    },
  );
});

describe('an old segment does not open', () => {
  testWithPeers(
    'the hub serves, says what is missing, and gets it back from the region',
    ['strace'],
    async ([strace = '']) => {
      const data = tempDir();
      const region = await startRegional({ data: tempDir() });
      const mqttPort = await freePort();
      const sets = [`uplink.url=${region.mqttUrl}`, ...SMALL];
      const first = await startHub({ data, sets, mqttPort });
      const publisher = new Publisher(16_384);
      await publisher.start(mqttPort, CLIENTS, WINDOW);
      await reaches(publisher, 250);
      publisher.stop();
      await uplinked(first.httpUrl);
      await first.process.stop();
      const segments = readdirSync(`${data}/journal`).filter((name) => name.endsWith('.segment'));
      const path = `${data}/journal/${segments[1]}`;
      const into = `${data}/trace`;
      const inject = 'openat:error=EIO';
      const under = [...tracer(strace, { trace: 'openat', inject, into }), '-P', path];
      const hub = await startHub({ data, sets, mqttPort, under });
      assert.match(await hub.process.line(/journal\.damaged/), /"segment":2,"fromLsn":\d\d/);
      const device = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
      await device.publishAsync('lone', '1', { qos: 1 });
      await device.endAsync();
      await eventually(
        () => healthOf(hub),
        ({ journal }) => journal.quarantined.length === 0 && journal.healing.healedRanges === 1,
      );
      await assertNothingLost(hub, publisher);
      await assertSameUpstream(hub, region);
    },
  );
});

describe('what the region has set cannot be read', () => {
  testWithPeers('the hub starts without it', ['strace'], async ([strace = '']) => {
    const data = tempDir();
    const path = `${data}/config-remote.json`;
    writeFileSync(path, '{}');
    const into = `${data}/trace`;
    const inject = 'openat:error=EIO';
    const under = [...tracer(strace, { trace: 'openat', inject, into }), '-P', path];
    await startHub({ data, sets: SMALL, under });
    assert.deepEqual(
      readdirSync(data).filter((name) => name.startsWith('config-remote')),
      ['config-remote.json.damaged'],
    );
  });
});

describe('the file system turns read-only', () => {
  testWithPeers(
    'the hub ends with what failed first, not with what it could not tidy up behind it',
    ['strace'],
    async ([strace = '']) => {
      const data = tempDir();
      const fault = 'fdatasync:error=EROFS:when=20+';
      const into = `${data}/trace`;
      const under = tracer(strace, { trace: 'fdatasync,unlink', inject: fault, into });
      const paths = [`${data}/journal/000000000001.segment`, `${data}/runtime.json`];
      under.push('-e', 'inject=unlink:error=EROFS', ...paths.flatMap((path) => ['-P', path]));
      const mqttPort = await freePort();
      const hub = await startHub({ data, sets: SMALL, mqttPort, under, env: ONE_THREAD });
      const publisher = new Publisher();
      await publisher.start(mqttPort, CLIENTS, WINDOW);
      assert.equal(await hub.process.exited, 1);
      publisher.stop();
      const events = hub.process.lines.filter((line) =>
        /hub\.(failed|close-failed|closed)/.test(line),
      );
      const [failed = '', closing = '', closed = ''] = events;
      assert.match(failed, /hub\.failed.*journal\.poisoned.*The card failed/);
      assert.match(closing, /hub\.close-failed.*EROFS.*unlink/);
      assert.match(closed, /hub\.closed/);
    },
  );
});

describe('the disk is full', () => {
  testWithMounts(
    'in the middle of a write: no ack, said on page and healthz, also after a restart; with room it goes on',
    () => fullDisk('journal.free_mib_min=0'),
  );
  testWithMounts('but for what is to be left free: the same, before anything else runs short', () =>
    fullDisk('journal.free_mib_min=6'),
  );
});

async function fullDisk(freeSet: string): Promise<void> {
  const disk = smallDisk(48);
  const data = `${disk}/data`;
  const region = await startRegional({ data: tempDir() });
  const mqttPort = await freePort();
  const sets = [`uplink.url=${region.mqttUrl}`, 'journal.total_mib_max=40', freeSet, ...SMALL];
  const first = await startHub({ data, sets, mqttPort });
  const publisher = new Publisher();
  await publisher.start(mqttPort, CLIENTS, WINDOW);
  await reaches(publisher, 200);
  writeFileSync(`${disk}/ballast`, new Uint8Array(freeBytes(disk) - 2 * MIB));
  await first.process.line(/journal\.refuses/);
  await refusesEveryone(first, publisher);
  publisher.stop();
  first.process.kill('SIGKILL');
  await first.process.exited;

  fillDisk(disk);
  const hub = await startHub({ data, sets, mqttPort });
  await hub.process.line(/journal\.refuses/);
  await refusesEveryone(hub, publisher);
  rmSync(`${disk}/ballast`);
  await hub.process.line(/journal\.healed/);
  await publisher.start(mqttPort, CLIENTS, WINDOW);
  await reaches(publisher, 200);
  publisher.stop();
  // The store has failed too; it is opened again with growing pauses.
  const status = (): Promise<StatusView> => getJson(`${hub.httpUrl}api/v1/status`);
  await eventually(status, ({ faults }) => faults.length === 0);
  await assertSameUpstream(hub, region);
  await assertNothingLost(hub, publisher);
  assert.equal((await fetch(`${hub.httpUrl}healthz`)).status, 200);
}

/** No acknowledgement, and the reason in MQTT's, HTTP's and people's terms. */
async function refusesEveryone(hub: RunningHub, publisher: Publisher): Promise<void> {
  const health = await fetch(`${hub.httpUrl}healthz`);
  assert.equal(health.status, 503);
  assert.match(await health.text(), /journal\.disk-full/);
  const acknowledged = publisher.acknowledged.length;
  const { faults } = await getJson<StatusView>(`${hub.httpUrl}api/v1/status`);
  assert.ok(faults.some(({ code }) => code === 'journal.disk-full'));
  const log = await (await fetch(`${hub.httpUrl}api/v1/log`)).text();
  assert.match(log, /"event":"fault".*Free space/);
  await assert.rejects(connectAsync(hub.mqttUrl, { reconnectPeriod: 0 }), { code: 3 });
  assert.equal(publisher.acknowledged.length, acknowledged);
}

const MIB = 1 << 20;

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

async function reaches(publisher: Publisher, count: number): Promise<void> {
  const end = publisher.acknowledged.length + count;
  while (publisher.acknowledged.length < end) await pause(5);
}

const SYNC_MS = 2_000;

describe('the card takes two seconds for a sync', () => {
  testWithPeers(
    'who behaves is served, who floods is held back, memory stays what it is, nothing is lost',
    ['strace'],
    async ([strace = '']) => {
      const data = tempDir();
      const mqttPort = await freePort();
      const inject = `fdatasync:delay_exit=${SYNC_MS * 1_000}:when=20+`;
      const under = tracer(strace, { trace: 'fdatasync', inject, into: `${data}/trace` });
      const hub = await startHub({ data, sets: [AT_ONCE], mqttPort, under });
      const flood = new Publisher(16_384);
      await flood.start(mqttPort, 8, 200);
      await eventually(
        () => getJson<StalledView>(`${hub.httpUrl}api/v1/status`),
        ({ devices }) => devices.held > 0,
      );
      const device = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
      const waitsMs: number[] = [];
      for (let round = 0; round < 20; round++) {
        waitsMs.push(Math.max(await roundTripMs(device), await healthMs(hub)));
        await pause(200);
      }
      // A segment that is not ready in time is made on the spot, and everyone waits for its sync; seldom.
      waitsMs.sort((a, b) => a - b);
      assert.ok((waitsMs[10] ?? 0) < SYNC_MS, `${waitsMs.join(' ')} ms`);
      // Of each thread strace spares the first syncs: a publish may meet one of those still.
      const acksMs: number[] = [];
      for (let count = 0; count < 4; count++) {
        const before = performance.now();
        await device.publishAsync('lone', `${count}`, { qos: 1 });
        acksMs.push(performance.now() - before);
      }
      assert.ok(Math.max(...acksMs) > SYNC_MS / 2, `${acksMs.join(' ')} ms`);
      const { process } = await getJson<StalledView>(`${hub.httpUrl}api/v1/status`);
      assert.ok(process.rssBytes < 200e6, `${process.rssBytes} bytes`);
      await device.endAsync();
      hub.process.kill('SIGKILL');
      await hub.process.exited;
      flood.stop();
      const again = await startHub({ data, sets: [AT_ONCE], mqttPort });
      await assertNothingLost(again, flood);
    },
  );
});

interface StalledView {
  readonly devices: { readonly held: number };
  readonly process: { readonly rssBytes: number };
}

/** From device to device at QoS 0, which waits for no card. */
async function roundTripMs(device: MqttClient): Promise<number> {
  await device.subscribeAsync('echo');
  const beganMs = performance.now();
  const heard = new Promise<void>((resolve) => device.once('message', () => resolve()));
  device.publish('echo', '1');
  await heard;
  return performance.now() - beganMs;
}

async function healthMs(hub: RunningHub): Promise<number> {
  const beganMs = performance.now();
  assert.equal((await fetch(`${hub.httpUrl}healthz`)).status, 200);
  return performance.now() - beganMs;
}

describe('the clock says 1970 after a restart', () => {
  testWithPeers(
    'it is said, order stays as it was, nothing is lost, here or upstream',
    ['faketime'],
    async ([faketime = '']) => {
      const data = tempDir();
      const mqttPort = await freePort();
      const region = await startRegional({ data });
      const sets = [`uplink.url=${region.mqttUrl}`, ...SMALL];
      const published: string[] = [];
      for (const isLost of [false, true, false]) {
        const env = isLost ? clockOf(faketime, '@1970-01-01 00:10:00') : {};
        const hub = await startHub({ data, sets, mqttPort, env });
        const { clock, faults } = await getJson<ClockView>(`${hub.httpUrl}api/v1/status`);
        assert.equal(clock.quality, isLost ? 'unknown' : 'rtc');
        assert.equal(
          faults.some(({ code }) => code === 'clock.unknown'),
          isLost,
        );
        const device = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
        for (let count = 0; count < 5; count++) {
          published.push(`{"n":${published.length}}`);
          await device.publishAsync('order', published.at(-1) ?? '', { qos: 1 });
        }
        await device.endAsync();
        hub.process.kill('SIGKILL');
        await hub.process.exited;
      }
      const hub = await startHub({ data, sets, mqttPort });
      await assertSameUpstream(hub, region);
      assert.deepEqual([...(await readingsOf(hub.httpUrl, 'order'))], published);
    },
  );
});

/** What makes a process believe the time; the wrapper itself would stand between us and its signals. */
function clockOf(faketime: string, time: string): Record<string, string> {
  const library = execFileSync(faketime, ['-f', time, 'printenv', 'LD_PRELOAD'], {
    encoding: 'utf8',
  });
  return { LD_PRELOAD: library.trim(), FAKETIME: time, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

interface ClockView {
  readonly clock: { readonly quality: string };
  readonly faults: readonly { readonly code: string }[];
}

/**
 * No PUBACK (`40 02`, as strace writes it) once the process has met the injected fault. One thread syncs and another writes:
 * until then it may acknowledge what the sync before made durable, in one write a client and no more.
 */
function assertNoAckAfterFault(trace: string): void {
  const lines = readFileSync(trace, 'latin1').split('\n');
  const injectedAt = lines.findIndex((line) => line.includes('(INJECTED)'));
  assert.ok(injectedAt >= 0, 'the fault was injected');
  const metAt = lines.findIndex((line) => line.includes('journal.poisoned'));
  assert.ok(metAt > injectedAt, 'the fault was met');
  const acksIn = (some: readonly string[]): number =>
    some.filter((line) => /"@\\2/.test(line)).length;
  assert.ok(acksIn(lines.slice(0, injectedAt)) > 0, 'acknowledgements show in the trace');
  assert.ok(acksIn(lines.slice(injectedAt, metAt)) <= CLIENTS, 'of one commit at most');
  assert.equal(acksIn(lines.slice(metAt)), 0);
}
