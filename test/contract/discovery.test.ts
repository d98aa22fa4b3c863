/** Finding others on a network: the machine's own on loopback, and the simulated one alike. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';

import { describe, test } from 'vitest';

import { hexOf } from '../../src/base/bytes.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import type { Discovery, FoundService } from '../../src/platform/network/discovery.ts';
import { machineDiscovery } from '../../src/platform/network/machine-discovery.ts';
import { machineRandom } from '../../src/platform/random.ts';
import { SimDiscovery } from '../support/simulated/discovery.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';
import { eventually } from '../support/hubs/api.ts';

const KINDS: [string, () => Discovery][] = [
  ['machine', () => machineDiscovery(machineTimers)],
  ['simulated', () => new SimDiscovery(machineTimers).at('127.0.0.1')],
];
const MDNS = { address: '224.0.0.251', port: 5353 };

/** A type of its own for each test: the network is shared with all that run beside it. */
const typeOf = (): string => `hg-${hexOf(machineRandom.bytes(4))}`;

interface Ear {
  readonly found: FoundService[];
  readonly errors: string[];
  readonly close: () => Promise<void>;
}

async function listen(discovery: Discovery, type: string, own?: FoundService): Promise<Ear> {
  const found: FoundService[] = [];
  const errors: string[] = [];
  const opened = await discovery.open({
    type,
    where: 'loopback',
    own,
    onFound: (service) => void found.push(service),
    onError: (reason) => void errors.push(reason),
  });
  return { found, errors, close: () => opened.close() };
}

function named(name: string, port: number): FoundService {
  return { name, port, text: { site: 'demo', hub: name }, address: '127.0.0.1' };
}

describe.each(KINDS)('discovery: %s', (_name, make) => {
  test('who comes is heard by who is there, and hears who is there', async () => {
    const discovery = make();
    const type = typeOf();
    const [a, b] = [named('a', 1_883), named('b', 1_884)];
    const first = await listen(discovery, type, a);
    const second = await listen(discovery, type, b);
    const silent = await listen(discovery, type);
    const other = await listen(discovery, typeOf(), named('c', 1));
    const heard = (ear: Ear) => async () => new Set(ear.found.map(({ name }) => name));
    await eventually(heard(first), (names) => names.has('b'));
    await eventually(heard(second), (names) => names.has('a'));
    await eventually(heard(silent), (names) => names.has('a') && names.has('b'));
    const told = silent.found.find(({ name }) => name === 'b');
    assert.deepEqual({ ...told, address: '' }, { ...b, address: '' });
    assert.match(told?.address ?? '', /^\d+\.\d+\.\d+\.\d+$/);
    for (const ear of [first, second, silent]) assert.ok(!(await heard(ear)()).has('c'));
    for (const ear of [first, second, silent, other]) {
      assert.deepEqual(ear.errors, []);
      await ear.close();
    }
  });
});

test('nonsense on the network stops nobody', async () => {
  const discovery = machineDiscovery(machineTimers);
  const type = typeOf();
  const ear = await listen(discovery, type, named('a', 1_883));
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.setMulticastInterface('127.0.0.1');
  const random = new SeededRandom(1);
  const send = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      socket.send(bytes, MDNS.port, MDNS.address, () => resolve());
    });
  for (let i = 0; i < 400; i++) {
    const bytes = random.bytes(12 + (i % 200));
    // Half of them look like an answer with some records of some kind.
    if (i % 2 === 0) bytes.set([0, 0, 0x84, 0, 0, i % 3, 0, 1 + (i % 3), 0, 0, 0, 0]);
    await send(bytes);
  }
  const later = await listen(discovery, type, named('b', 1_884));
  await eventually(
    async () => ear.found.map(({ name }) => name),
    (names) => names.includes('b'),
  );
  socket.close();
  await ear.close();
  await later.close();
});
