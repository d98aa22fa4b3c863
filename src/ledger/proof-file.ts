/**
 * The proof that an op is in a hub's signed history, as one small file (C2SP tlog-proof): the op itself, its place, the
 * hashes beside its way to the root, and the signed checkpoint. Whoever has the hub's public key can check it, years
 * later and without any network.
 */
import { hexOf } from '../base/bytes.ts';
import type { Verify } from '../codec/cose.ts';
import { CborError } from '../codec/reader.ts';
import { CLASS_NAMES } from '../model/class.ts';
import { decodeOp, type Op } from '../model/op.ts';
import { HASH_BYTES, leafHash } from './merkle.ts';
import { base64, bytesOfBase64, type Checkpoint, isSignedBy, parseCheckpoint } from './note.ts';
import { verifyInclusion } from './proofs.ts';

const PROOF_TYPE = 'c2sp.org/tlog-proof@v1';
/** Longer than any proof of an op that fits in a message. */
const PROOF_CHARS_MAX = 1 << 24;
/** A tree of 2^53 leaves. */
const HASHES_MAX = 53;

interface OpProof {
  /** The op's bytes: the leaf. */
  readonly op: Uint8Array;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
  /** A signed note. */
  readonly checkpoint: string;
}

type ProofOutcome =
  | { readonly kind: 'proven'; readonly op: Op; readonly index: number; readonly head: Checkpoint }
  /** `why` ends the sentence "This proves nothing: …". */
  | { readonly kind: 'wrong'; readonly why: string };

export function encodeProof({ op, index, hashes, checkpoint }: OpProof): string {
  const lines = [PROOF_TYPE, `extra ${base64(op)}`, `index ${index}`, ...hashes.map(base64)];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/** `publicKey` is the hub's raw Ed25519 key. */
export function verifyProof(text: string, publicKey: Uint8Array, verify: Verify): ProofOutcome {
  const proof = parseProof(text);
  if (proof === undefined) return wrong('it is not a proof file');
  const head = parseCheckpoint(proof.checkpoint);
  if (head === undefined) return wrong('its checkpoint cannot be read');
  if (!isSignedBy(head, publicKey, verify)) return wrong('this key did not sign its checkpoint');
  const { index, hashes } = proof;
  const leaf = leafHash(proof.op);
  if (!verifyInclusion(leaf, index, head.size, hashes, head.root)) {
    return wrong(`the op is not at ${index} under the root ${hexOf(head.root)}`);
  }
  const op = readOp(proof.op);
  if (op === undefined) return wrong('what it proves is no op');
  if (!head.origin.endsWith(`/${CLASS_NAMES[op.class]}`)) {
    return wrong(`the op is not of the class of ${head.origin}`);
  }
  return { kind: 'proven', op, index, head };
}

export function parseProof(text: string): OpProof | undefined {
  if (text.length > PROOF_CHARS_MAX) return undefined;
  const split = text.indexOf('\n\n');
  const [type, extra = '', index = '', ...hashLines] = text
    .slice(0, Math.max(0, split))
    .split('\n');
  if (type !== PROOF_TYPE || hashLines.length > HASHES_MAX) return undefined;
  const op = extra.startsWith('extra ') ? bytesOfBase64(extra.slice(6)) : undefined;
  if (op === undefined || !/^index (0|[1-9]\d{0,15})$/.test(index)) return undefined;
  const hashes = hashLines.map((line) => bytesOfBase64(line));
  if (!hashes.every((hash) => hash?.length === HASH_BYTES)) return undefined;
  const known = hashes.flatMap((hash) => (hash === undefined ? [] : [hash]));
  return { op, index: Number(index.slice(6)), hashes: known, checkpoint: text.slice(split + 2) };
}

function readOp(bytes: Uint8Array): Op | undefined {
  try {
    return decodeOp(bytes);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function wrong(why: string): ProofOutcome {
  return { kind: 'wrong', why };
}
