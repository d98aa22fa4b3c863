/**
 * What we sign is checked by what we did not write: the very commands that LEDGER.md and BATCH.md print, with Python and
 * OpenSSL alone, over a proof and a batch; and they do find what was changed.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  checkpointBody,
  cosign,
  cosignatureLine,
  logName,
  signCheckpoint,
  witnessName,
} from '../../src/ledger/note.ts';
import { TELEMETRY } from '../../src/model/class.ts';
import { batchOf, HUB, HUB_ID, REGION, stampedOps } from '../support/made/batches.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { ROOT } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

/** SubjectPublicKeyInfo of an Ed25519 key, up to the key itself (RFC 8410). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const TOOLS = ['python3', 'openssl', 'sh'];

/** The shell commands of a document below a heading, as a person would copy them. */
function commandsOf(document: string, heading = /^#+ (\d+\. )?With tools that are not ours/m): string {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const chapter = text.slice(text.search(heading));
  const commands = /```sh\n([\s\S]*?)\n```/.exec(chapter)?.[1];
  assert.ok(commands, `${document} says how`);
  return commands;
}

function publicKeyPem(key: Uint8Array): string {
  const text = Buffer.concat([SPKI_HEAD, key]).toString('base64');
  return `-----BEGIN PUBLIC KEY-----\n${text}\n-----END PUBLIC KEY-----\n`;
}

function run(dir: string, commands: string): { output: string; isGood: boolean } {
  const { stdout, stderr, status } = spawnSync('sh', ['-e', '-c', commands], {
    cwd: dir,
    encoding: 'utf8',
  });
  return { output: `${stdout}${stderr}`, isGood: status === 0 };
}

testWithPeers('a checkpoint and the way from an op to its root', TOOLS, () => {
  const dir = tempDir();
  const proof = readFileSync(join(import.meta.dirname, 'ledger-1.tlog-proof'), 'utf8');
  const commands = commandsOf('src/ledger/LEDGER.md');
  writeFileSync(join(dir, 'hub.pub'), publicKeyPem(HUB.publicKey));
  writeFileSync(join(dir, 'F'), proof);
  const good = run(dir, commands);
  assert.match(good.output, /Signature Verified Successfully/);
  assert.match(good.output, /^in the tree$/m);
  // Another op in the place of this one: the signature of the checkpoint stands, the way does not lead to it.
  const extra = /^extra (\S+)$/m.exec(proof)?.[1] as string;
  const other = Buffer.from(extra, 'base64');
  other[other.length - 1] = (other.at(-1) as number) ^ 1;
  writeFileSync(join(dir, 'F'), proof.replace(extra, other.toString('base64')));
  assert.match(run(dir, commands).output, /^NOT in the tree$/m);
  // Another size: the signature falls.
  writeFileSync(join(dir, 'F'), proof.replace(/\n(\d+)\n(\S+=)\n\n—/, '\n1$1\n$2\n\n—'));
  assert.ok(!run(dir, commands).isGood);
});

testWithPeers('the signature of a checkpoint by itself, as it lies on a stick', TOOLS, () => {
  const dir = tempDir();
  const [commands = ''] = commandsOf('src/ledger/LEDGER.md').split('\n# The way');
  const head = { size: 7, root: new Uint8Array(32) };
  const checkpoint = signCheckpoint(logName(HUB_ID, TELEMETRY), head, HUB);
  writeFileSync(join(dir, 'hub.pub'), publicKeyPem(HUB.publicKey));
  writeFileSync(join(dir, 'F'), checkpoint);
  const good = run(dir, commands);
  assert.ok(good.isGood, good.output);
  writeFileSync(join(dir, 'F'), checkpoint.replace('\n7\n', '\n8\n'));
  assert.ok(!run(dir, commands).isGood);
});

testWithPeers('the cosignature of the region', TOOLS, () => {
  const dir = tempDir();
  const commands = commandsOf('src/ledger/LEDGER.md', /^### The witness/m);
  const body = checkpointBody(logName(HUB_ID, TELEMETRY), { size: 7, root: new Uint8Array(32) });
  const line = cosignatureLine(
    witnessName(REGION.id),
    REGION.publicKey,
    cosign(body, 1_780_000_000, REGION),
  );
  const note = `${signCheckpoint(logName(HUB_ID, TELEMETRY), { size: 7, root: new Uint8Array(32) }, HUB)}${line}`;
  writeFileSync(join(dir, 'region.pub'), publicKeyPem(REGION.publicKey));
  writeFileSync(join(dir, 'cosigned'), note);
  const good = run(dir, commands);
  assert.ok(good.isGood, good.output);
  assert.match(good.output, new RegExp(`^heliograph/${REGION.id}/witness at 1780000000$`, 'm'));
  writeFileSync(join(dir, 'cosigned'), note.replace('\n7\n', '\n8\n'));
  assert.ok(!run(dir, commands).isGood);
});

testWithPeers('the manifest of a batch and its payload', TOOLS, async () => {
  const dir = tempDir();
  const batch = await batchOf(stampedOps(1, 200));
  const commands = commandsOf('src/batch/BATCH.md');
  writeFileSync(join(dir, 'hub.pub'), publicKeyPem(HUB.publicKey));
  writeFileSync(join(dir, 'batch'), batch.bytes);
  const good = run(dir, commands);
  assert.ok(good.isGood, good.output);
  assert.match(good.output, new RegExp(`^batch ${batch.id}$`, 'm'));
  assert.match(good.output, /^payload as signed$/m);
  assert.match(good.output, /Signature Verified Successfully/);
  const changed = batch.bytes.slice();
  changed[changed.length - 1] = (changed.at(-1) as number) ^ 1;
  writeFileSync(join(dir, 'batch'), changed);
  assert.match(run(dir, commands).output, /payload is NOT what was signed/);
  const forged = batch.bytes.slice();
  forged[120] = (forged[120] as number) ^ 1;
  writeFileSync(join(dir, 'batch'), forged);
  assert.ok(!run(dir, commands).isGood);
});
