/**
 * The proof that a hub's history goes on from an earlier checkpoint of it: nothing taken out, put in or changed. A small text as
 * a witness is asked with (C2SP tlog-witness): the earlier size, the hashes of RFC 9162 §2.1.4, and the later checkpoint.
 */
import { bytesEqual } from '../base/bytes.ts';
import type { Verify } from '../codec/cose.ts';
import { EMPTY_ROOT, HASH_BYTES } from './merkle.ts';
import {
  base64,
  bytesOfBase64,
  type Checkpoint,
  isSignedBy,
  parseCheckpoint,
  type TreeHead,
} from './note.ts';
import { verifyConsistency } from './proofs.ts';

/** Longer than any such text. */
const SINCE_CHARS_MAX = 1 << 14;
/** Two for each level of a tree of 2^53 leaves. */
const HASHES_MAX = 2 * 53;
const OLD_LINE = /^old (0|[1-9]\d{0,15})$/;

interface SinceProof {
  readonly oldSize: number;
  readonly hashes: readonly Uint8Array[];
  /** A signed note. */
  readonly checkpoint: string;
}

/** A checkpoint and the signed note that it was read from. */
export interface NotedCheckpoint extends Checkpoint {
  readonly note: string;
}

type SinceOutcome =
  | { readonly kind: 'proven'; readonly old: Checkpoint; readonly head: Checkpoint }
  /** `why` ends the sentence "This proves nothing: …". */
  | { readonly kind: 'wrong'; readonly why: string };

export function encodeSince({ oldSize, hashes, checkpoint }: SinceProof): string {
  return `${[`old ${oldSize}`, ...hashes.map(base64)].join('\n')}\n\n${checkpoint}`;
}

/** True where the text means to be such a proof, and not that of an op. */
export function isSince(text: string): boolean {
  return text.startsWith('old ');
}

/** The checkpoint in a file: it is one, or one stands behind the proof of an op or of a history. */
export function checkpointIn(text: string): NotedCheckpoint | undefined {
  for (const note of [text, text.slice(text.indexOf('\n\n') + 2)]) {
    const checkpoint = parseCheckpoint(note);
    if (checkpoint !== undefined) return { ...checkpoint, note };
  }
  return undefined;
}

/** `earlier` is the text with the checkpoint that is known, `publicKey` the hub's raw Ed25519 key. */
export function verifySince(
  text: string,
  earlier: string,
  publicKey: Uint8Array,
  verify: Verify,
): SinceOutcome {
  const proof = parseSince(text);
  const head = proof === undefined ? undefined : parseCheckpoint(proof.checkpoint);
  const old = checkpointIn(earlier);
  if (proof === undefined || head === undefined) return wrong('it is not the proof of a history');
  if (old === undefined) return wrong('the earlier checkpoint cannot be read');
  if (!isSignedBy(head, publicKey, verify)) return wrong('this key did not sign its checkpoint');
  if (!isSignedBy(old, publicKey, verify)) {
    return wrong('this key did not sign the earlier checkpoint');
  }
  if (old.origin !== head.origin) return wrong(`${old.origin} is not ${head.origin}`);
  if (old.size !== proof.oldSize) {
    return wrong(`it goes on from ${proof.oldSize} ops, the earlier checkpoint has ${old.size}`);
  }
  if (!goesOn(old, head, proof.hashes)) {
    return wrong(`${head.size} ops do not begin with the ${old.size} of the earlier checkpoint`);
  }
  return { kind: 'proven', old, head };
}

function goesOn(old: TreeHead, head: TreeHead, hashes: readonly Uint8Array[]): boolean {
  if (old.size > 0) return verifyConsistency(old, head, hashes);
  return hashes.length === 0 && bytesEqual(old.root, EMPTY_ROOT);
}

function parseSince(text: string): SinceProof | undefined {
  if (text.length > SINCE_CHARS_MAX) return undefined;
  const split = text.indexOf('\n\n');
  const [first = '', ...hashLines] = text.slice(0, Math.max(0, split)).split('\n');
  const [, oldSize] = OLD_LINE.exec(first) ?? [];
  if (oldSize === undefined || hashLines.length > HASHES_MAX) return undefined;
  const hashes: Uint8Array[] = [];
  for (const line of hashLines) {
    const hash = bytesOfBase64(line);
    if (hash?.length !== HASH_BYTES) return undefined;
    hashes.push(hash);
  }
  return { oldSize: Number(oldSize), hashes, checkpoint: text.slice(split + 2) };
}

function wrong(why: string): SinceOutcome {
  return { kind: 'wrong', why };
}
