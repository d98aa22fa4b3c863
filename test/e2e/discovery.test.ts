/** Hubs and devices that were told no address: real multicast on loopback. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { findHubs } from '../../src/client/node.ts';
import { hexOf } from '../../src/base/bytes.ts';
import { machineRandom } from '../../src/platform/random.ts';
import { type Digest, eventually, getJson } from '../support/hubs/api.ts';
import { startHub } from '../support/hubs/hub.ts';
import { publishTo } from '../support/hubs/mqtt-client.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

test('two hubs of a site find each other and a device finds both; a hub of another site stays alone', async () => {
  // Of its own, since all tests of this machine hear each other.
  const site = `mdns-${hexOf(machineRandom.bytes(4))}`;
  const start = (name: string) =>
    startHub({
      data: tempDir(),
      sets: ['peer.enabled=true', 'peer.discover="loopback"', `site="${name}"`],
    });
  const [first, second, stranger] = [
    await start(site),
    await start(site),
    await start(`${site}-2`),
  ];
  for (const { mqttUrl } of [first, second, stranger]) {
    await publishTo(mqttUrl, `from/${new URL(mqttUrl).port}`, 'x');
  }
  const digests = () =>
    Promise.all([first, second].map(({ httpUrl }) => getJson<Digest>(`${httpUrl}api/v1/digest`)));
  const same = await eventually(digests, ([a, b]) => a?.ops === 2 && a.digest === b?.digest);
  assert.equal(same.length, 2);
  assert.equal((await getJson<Digest>(`${stranger.httpUrl}api/v1/digest`)).ops, 1);
  const found = await eventually(
    () => findHubs({ site, withinMs: 500, address: '127.0.0.1' }),
    (hubs) => hubs.length === 2,
  );
  const ports = (urls: readonly string[]): string[] =>
    urls.map((url) => new URL(url).port).toSorted();
  assert.deepEqual(
    ports(found.map(({ url }) => url)),
    ports([first, second].map(({ mqttUrl }) => mqttUrl)),
  );
});
