/**
 * No key of the configuration is a promise that nobody keeps: hub, regional node and rules are run on a
 * configuration that notes which of its keys are read.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { test } from 'vitest';

import { camelKey, type Shape } from '../../../src/config/fields.ts';
import { brokenRules } from '../../../src/config/rules.ts';
import { type Config, SCHEMA } from '../../../src/config/schema.ts';
import { tlsCredentials } from '../../../src/hub/enrol.ts';
import { openHub } from '../../../src/hub/hub.ts';
import { openRegion } from '../../../src/region/region.ts';
import { addUser } from '../../../src/security/users.ts';
import { configFor, machine } from '../../support/hubs/data-dir.ts';
import { freePort, ROOT } from '../../support/machine/spawn.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { TLS_CERT, TLS_KEY } from '../../support/machine/tls-fixture.ts';

/** Read by a command before there is a hub: the file, and the words that read it. */
const READ_BY_COMMANDS: Readonly<Record<string, readonly [file: string, words: string]>> = {
  logLevel: ['src/cli/run.ts', 'config.logLevel'],
  // Read where there is a database.
  'regional.databasePasswordFile': ['src/region/storage.ts', 'databasePasswordFile'],
};

/** `broker.tlsPort`; rows stand for their fields: `capture.filter`. */
function leavesOf(shape: Shape, prefix = ''): string[] {
  return Object.entries(shape).flatMap(([name, node]) => {
    const key = prefix + camelKey(name);
    return node.node === 'field' ? [key] : leavesOf(node.shape, `${key}.`);
  });
}

/** The value, with every key that is read from it noted; a copy, since frozen values cannot be watched. */
function watched<T>(value: T, read: Set<string>, path = ''): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => watched(item, read, path)) as T;
  return new Proxy(
    { ...value },
    {
      get: (target, name) => {
        if (typeof name !== 'string') return undefined;
        const key = path === '' ? name : `${path}.${name}`;
        read.add(key);
        return watched((target as Record<string, unknown>)[name], read, key);
      },
    },
  );
}

function sets(dir: string): Config {
  writeFileSync(join(dir, 'cert.pem'), TLS_CERT);
  writeFileSync(join(dir, 'key.pem'), TLS_KEY);
  return configFor(
    join(dir, 'data'),
    'broker.port=0',
    'http.port=0',
    'regional.port=0',
    'regional.http_port=0',
    'security.mode=password',
    'power.sources=["simulated","venus-mqtt:mqtt://127.0.0.1:9"]',
    'capture=[{filter="a/#",class="alarm"}]',
    'grant=[{user="ana",publish=["a"],read=["a"]}]',
    // Nobody listens there: the uplink tries, and fails.
    'uplink.url=mqtt://127.0.0.1:9',
    'peer.enabled=true',
    'peer.addresses=["mqtt://127.0.0.1:9"]',
  );
}

test('every key has a reader', async () => {
  const dir = tempDir();
  const config = sets(dir);
  const tls = {
    ...config,
    broker: {
      ...config.broker,
      tlsPort: await freePort(),
      tlsCertFile: join(dir, 'cert.pem'),
      tlsKeyFile: join(dir, 'key.pem'),
    },
  };
  const password = await addUser(machine, config.data, {
    name: 'ana',
    role: 'operator',
  });
  const read = new Set<string>();
  const own = { ...tls, broker: { ...tls.broker, tlsCertFile: '', tlsKeyFile: '' } };
  await tlsCredentials(watched(own, read), machine, 'id');
  brokenRules(watched(config, read));
  const hub = await openHub(watched(tls, read), machine);
  // What capture rules and grants say is read when somebody publishes and subscribes.
  const ana = await connectAsync(hub.addresses.mqtt ?? '', { username: 'ana', password });
  await ana.subscribeAsync('a');
  await ana.publishAsync('a/1', '1', { qos: 1 });
  await ana.endAsync();
  await hub.close();
  const open = { ...config, security: { ...config.security, mode: 'open' as const } };
  const region = await openRegion(watched(open, read), machine);
  await region.close();
  for (const [key, [file, words]] of Object.entries(READ_BY_COMMANDS)) {
    if (readFileSync(join(ROOT, file), 'utf8').includes(words)) read.add(key);
  }
  assert.deepEqual(
    leavesOf(SCHEMA).filter((key) => !read.has(key)),
    [],
  );
});
