/**
 * Checkpoints: the size and root of a tree, signed, as C2SP tlog-checkpoint says, which is a C2SP signed-note. Text that
 * people can read and that tools we did not write can check.
 *
 *   heliograph/34750f98bd59fcfc/telemetry
 *   1000000
 *   <root in base64>
 *
 *   — heliograph/34750f98bd59fcfc/telemetry <key hash and signature in base64>
 *
 * A witness adds a line of its own, a cosignature (C2SP tlog-cosignature) over the same text and a time.
 */
import { createHash } from 'node:crypto';

import { bytesEqual, concatBytes, utf8 } from '../base/bytes.ts';
import { SIGNATURE_BYTES, type Verify } from '../codec/cose.ts';
import { CLASS_NAMES, type OpClass } from '../model/class.ts';
import type { Origin } from '../model/origin.ts';
import { HASH_BYTES } from './merkle.ts';

export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

export interface Checkpoint extends TreeHead {
  /** Name of the log. */
  readonly origin: string;
  /** What is signed: everything before the empty line, with its line end. */
  readonly body: string;
  readonly signatures: readonly NoteSignature[];
}

interface NoteSignature {
  readonly name: string;
  readonly keyHash: Uint8Array;
  readonly signature: Uint8Array;
}

export interface NoteSigner {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** Signature types of signed-note. */
const ED25519 = 0x01;
const COSIGNATURE = 0x04;
const KEY_HASH_BYTES = 4;
const TIME_BYTES = 8;
const SIGNATURE_LINE = /^— (\S+) (\S+)$/;
const HEAD_LINES = 3;
const SIGNATURES_MAX = 16;

/** Name of a hub's log of one class, and of the key that signs it. */
export function logName(hub: Origin, opClass: OpClass): string {
  return `heliograph/${hub}/${CLASS_NAMES[opClass]}`;
}

/** Name of a regional node as a witness. */
export function witnessName(region: string): string {
  return `heliograph/${region}/witness`;
}

export function checkpointBody(origin: string, { size, root }: TreeHead): string {
  return `${origin}\n${size}\n${base64(root)}\n`;
}

/** A checkpoint with the log's own signature. */
export function signCheckpoint(origin: string, head: TreeHead, signer: NoteSigner): string {
  const body = checkpointBody(origin, head);
  const line = signatureLine(origin, ED25519, signer.publicKey, signer.sign(utf8(body)));
  return `${body}\n${line}`;
}

/** Time in seconds since 1970 and signature of a witness over a checkpoint's body: 72 bytes (tlog-cosignature). */
export function cosign(body: string, atS: number, signer: Pick<NoteSigner, 'sign'>): Uint8Array {
  const time = new Uint8Array(TIME_BYTES);
  new DataView(time.buffer).setBigUint64(0, BigInt(atS));
  return concatBytes([time, signer.sign(cosignedBytes(body, atS))]);
}

/** The line that a witness's cosignature makes below a checkpoint. */
export function cosignatureLine(name: string, publicKey: Uint8Array, bytes: Uint8Array): string {
  return signatureLine(name, COSIGNATURE, publicKey, bytes);
}

/** Takes a checkpoint apart; undefined where the text is none. Nothing is verified yet. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const split = text.indexOf('\n\n');
  if (split < 0 || !text.endsWith('\n')) return undefined;
  const body = text.slice(0, split + 1);
  const [origin = '', sizeText = '', rootText = ''] = body.split('\n');
  if (body.split('\n').length < HEAD_LINES + 1 || origin === '') return undefined;
  const root = bytesOfBase64(rootText);
  if (!/^(0|[1-9]\d{0,15})$/.test(sizeText) || root?.length !== HASH_BYTES) return undefined;
  const lines = text
    .slice(split + 2)
    .slice(0, -1)
    .split('\n');
  if (lines.length > SIGNATURES_MAX) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = parseSignature(line);
    if (signature === undefined) return undefined;
    signatures.push(signature);
  }
  return { origin, size: Number(sizeText), root, body, signatures };
}

/** True where the log whose key this is has signed the checkpoint, under its own name. */
export function isSignedBy(
  { origin, body, signatures }: Checkpoint,
  publicKey: Uint8Array,
  verify: Verify,
): boolean {
  const hash = keyHash(origin, ED25519, publicKey);
  return signatures.some(
    ({ name, keyHash: named, signature }) =>
      name === origin &&
      bytesEqual(named, hash) &&
      signature.length === SIGNATURE_BYTES &&
      verify(publicKey, utf8(body), signature),
  );
}

/** When the witness whose key this is has signed the body, in seconds since 1970; undefined where it has not. */
export function cosignedAtS(
  body: string,
  bytes: Uint8Array,
  publicKey: Uint8Array,
  verify: Verify,
): number | undefined {
  if (bytes.length !== TIME_BYTES + SIGNATURE_BYTES) return undefined;
  const atS = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  const isTrue = verify(publicKey, cosignedBytes(body, atS), bytes.subarray(TIME_BYTES));
  return isTrue ? atS : undefined;
}

/** `<name>+<hash>+<key>`: what tools for signed notes want to know of a log's key. */
export function verifierKey(name: string, publicKey: Uint8Array): string {
  const hash = Buffer.from(keyHash(name, ED25519, publicKey)).toString('hex');
  return `${name}+${hash}+${base64(concatBytes([Uint8Array.of(ED25519), publicKey]))}`;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Standard base64 with padding; undefined for any other text. */
export function bytesOfBase64(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  return base64(bytes) === text ? bytes : undefined;
}

function cosignedBytes(body: string, atS: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${atS}\n${body}`);
}

function signatureLine(
  name: string,
  type: number,
  publicKey: Uint8Array,
  signature: Uint8Array,
): string {
  return `— ${name} ${base64(concatBytes([keyHash(name, type, publicKey), signature]))}\n`;
}

function parseSignature(line: string): NoteSignature | undefined {
  const [, name, text] = SIGNATURE_LINE.exec(line) ?? [];
  const bytes = text === undefined ? undefined : bytesOfBase64(text);
  if (name === undefined || bytes === undefined || bytes.length <= KEY_HASH_BYTES) return undefined;
  const named = bytes.subarray(0, KEY_HASH_BYTES);
  return { name, keyHash: named, signature: bytes.subarray(KEY_HASH_BYTES) };
}

function keyHash(name: string, type: number, publicKey: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(`${name}\n`).update(Uint8Array.of(type));
  return new Uint8Array(hash.update(publicKey).digest().subarray(0, KEY_HASH_BYTES));
}
