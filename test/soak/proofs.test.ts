/** In a tree of a million ops, any op has its proof within 20 ms, in a file of 1.5 KB that the public key alone checks. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { verifyEd25519 } from '../../src/keys/identity.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { verifyProof } from '../../src/ledger/proof-file.ts';
import { TELEMETRY } from '../../src/model/class.ts';
import { encodeOpEntry } from '../../src/model/entry.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { machineFiles } from '../../src/platform/files/machine-files.ts';
import { HUB, HUB_ID, stampedOp } from '../support/made/batches.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const OPS = 1_000_000;
const PROOFS = 200;
const PROOF_BYTES_MAX = 1_500;
const PROOF_MS_MAX = 20;

/** A journal whose entry of each LSN is made when it is read. */
const journal = {
  firstLsn: 1,
  lastLsn: OPS,
  durableLsn: OPS,
  onDurable: () => undefined,
  cursor: (fromLsn: number) => {
    let lsn = fromLsn;
    return {
      next: () => {
        if (lsn > OPS) return undefined;
        const { bytes, stamp } = stampedOp(lsn, { body: utf8(`{"w":${lsn}}`) });
        return { lsn: lsn++, entry: encodeOpEntry(bytes, stamp) };
      },
    };
  },
};

function open(dir: string): Ledger {
  return Ledger.open({
    journal,
    files: machineFiles,
    timers: machineTimers,
    log: SILENT_LOG,
    dir,
    hub: HUB_ID,
    signer: HUB,
    verify: verifyEd25519,
    onFatal: (error) => assert.fail(String(error)),
  });
}

interface Times {
  /** In order. */
  readonly tookMs: readonly number[];
  /** The most that one took of the processor, whoever else had it meanwhile. */
  readonly cpuMsMost: number;
}

/** Proves ops from the first to the last. */
function proveSome(ledger: Ledger): Times {
  const tookMs: number[] = [];
  let cpuMsMost = 0;
  let bytesMost = 0;
  for (let i = 0; i < PROOFS; i++) {
    const lsn = 1 + Math.floor((i * (OPS - 1)) / (PROOFS - 1));
    const beganMs = performance.now();
    const beganCpu = process.cpuUsage();
    const text = ledger.prove(lsn) ?? assert.fail('it is in the tree');
    tookMs.push(performance.now() - beganMs);
    const { user, system } = process.cpuUsage(beganCpu);
    cpuMsMost = Math.max(cpuMsMost, (user + system) / 1_000);
    bytesMost = Math.max(bytesMost, utf8(text).length);
    assert.equal(verifyProof(text, HUB.publicKey, verifyEd25519).kind, 'proven');
  }
  assert.ok(bytesMost <= PROOF_BYTES_MAX, `${bytesMost} bytes`);
  return { tookMs: tookMs.toSorted((a, b) => a - b), cpuMsMost };
}

test('a proof in a ledger of a million ops is small and quick, also after a restart', async () => {
  const dir = tempDir();
  const grown = open(dir);
  const { bytes } = stampedOp(OPS, { body: utf8(`{"w":${OPS}}`) });
  const head = await grown.headBehind(TELEMETRY, bytes, OPS);
  assert.equal(head?.size, OPS);
  await grown.flush();
  const times = [proveSome(grown)];
  await grown.close();
  const again = open(dir);
  times.push(proveSome(again));
  await again.close();
  for (const { tookMs, cpuMsMost } of times) {
    const [median, most] = [tookMs[PROOFS / 2] ?? 0, tookMs.at(-1) ?? 0];
    const figures = [median, most, cpuMsMost].map((ms) => ms.toFixed(1));
    console.log(`median, most and most of the processor in ms: ${figures.join(', ')}`);
    assert.ok(median <= PROOF_MS_MAX, `${median} ms`);
    assert.ok(cpuMsMost <= PROOF_MS_MAX, `${cpuMsMost} ms of the processor`);
  }
});
