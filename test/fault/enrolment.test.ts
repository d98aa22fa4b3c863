/** A site's authority and the certificate of its hub are made in steps: a crash behind any of them costs nothing. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'vitest';

import { authorityParts, ownCertificate } from '../../src/hub/enrol.ts';
import { SimFiles } from '../../src/platform/sim/files.ts';
import { SeededRandom } from '../../src/platform/sim/random.ts';
import { Authority } from '../../src/security/enrolment/authority.ts';
import { holderOf } from '../../src/security/enrolment/certificate.ts';
import { configFor, machine } from '../support/hubs/data-dir.ts';

const DATA = '/data';
const HUB = 'a1b2c3d4e5f60718';
const config = configFor(DATA, 'security.mode=enrolled', 'broker.tls_port=8883');

function diskWith(seed: number): SimFiles {
  const files = new SimFiles({ random: new SeededRandom(seed) });
  files.makeDir(DATA);
  return files;
}

function start(files: SimFiles) {
  return ownCertificate(config, { ...machine, files }, HUB);
}

describe.each(['kill', 'powerCut'] as const)('%s', (how) => {
  test('after any write: the next start is whole, and its certificate is that of the roster', async () => {
    const whole = diskWith(1);
    const first = whole.operations;
    await start(whole);
    assert.ok(whole.operations - first > 10);
    for (let crashAfter = first + 1; crashAfter <= whole.operations; crashAfter++) {
      const files = diskWith(crashAfter);
      files.faults.crashAfter = crashAfter;
      await assert.rejects(start(files));
      files[how]();
      const { cert } = await start(files);
      const authority = Authority.open(authorityParts(DATA, { ...machine, files }));
      const { memberByName, ca } = authority.roster();
      const der = new X509Certificate(Buffer.from(cert)).raw;
      const holder = holderOf(new Uint8Array(der), new X509Certificate(ca));
      const place = `after operation ${crashAfter}`;
      assert.ok(holder !== undefined, place);
      assert.deepEqual(memberByName.get(holder.name)?.key, holder.fingerprint, place);
    }
  });
});
