/** `sync/<device>/pull`: what a device wants and has, and how far it has come (sync/PROTOCOL.md §3). */
import { CborError, CborReader } from '../codec/reader.ts';
import type { CborLimits } from '../codec/value.ts';
import { CborWriter } from '../codec/writer.ts';
import type { VersionVector } from '../model/version-vector.ts';
import {
  CREDIT_MAX,
  PROTOCOL_VERSION,
  PULL_BYTES_MAX,
  RESUME_BYTES_MAX,
  VECTOR_LANES_MAX,
} from './limits.ts';
import { readScope, type Scope, writeScope } from './scope.ts';
import { readVector, writeVector } from './vector.ts';

export interface OpenPull {
  readonly kind: 'open';
  /** Drawn by the device, 32 bits: what answers this pull carries it. */
  readonly pull: number;
  /** Pages that may be under way at once. */
  readonly credit: number;
  readonly scope: Scope;
  /** All ops in scope up to here are held. */
  readonly vector: VersionVector;
  /** Where an earlier pull of the same scope and vector broke off: `resume` of the last page that was kept. */
  readonly resume?: Uint8Array;
}

interface TakenPull {
  readonly kind: 'taken';
  readonly pull: number;
  /** All pages up to this one are kept. */
  readonly page: number;
}

interface ClosePull {
  readonly kind: 'close';
  readonly pull: number;
}

export type PullMessage = OpenPull | TakenPull | ClosePull;

type ReadPull =
  | { readonly kind: 'read'; readonly message: PullMessage }
  /** `pull` as far as it could be read: the refusal names it. */
  | { readonly kind: 'refused'; readonly pull: number | undefined; readonly reason: string };

const OPEN = 0;
const TAKEN = 1;
const CLOSE = 2;
const PULL_MAX = 0xffffffff;
const LIMITS: CborLimits = { depthMax: 4, itemsMax: 4 * VECTOR_LANES_MAX };

export function encodePull(message: PullMessage): Uint8Array {
  const writer = new CborWriter(64);
  switch (message.kind) {
    case 'open': {
      const { pull, credit, scope, vector, resume } = message;
      writer.array(resume === undefined ? 6 : 7).uint(OPEN);
      writer.uint(PROTOCOL_VERSION).uint(pull).uint(credit);
      writeScope(writer, scope);
      writeVector(writer, vector);
      if (resume !== undefined) writer.bytes(resume);
      break;
    }
    case 'taken':
      writer.array(3).uint(TAKEN).uint(message.pull).uint(message.page);
      break;
    case 'close':
      writer.array(2).uint(CLOSE).uint(message.pull);
  }
  return writer.finish();
}

export function readPull(bytes: Uint8Array): ReadPull {
  let pull: number | undefined;
  const refused = (reason: string): ReadPull => ({ kind: 'refused', pull, reason });
  if (bytes.length > PULL_BYTES_MAX) return refused(`more than ${PULL_BYTES_MAX} bytes`);
  try {
    const reader = new CborReader(bytes, 0, LIMITS);
    const count = reader.array();
    const type = reader.uint();
    if (type === OPEN && reader.uint() !== PROTOCOL_VERSION) {
      pull = reader.uint();
      return refused(`this hub speaks version ${PROTOCOL_VERSION} of the protocol`);
    }
    const named = reader.uint();
    if (named > PULL_MAX) return refused('the number of a pull has 32 bits');
    pull = named;
    const message = readRest(reader, type, count, named);
    if (message === undefined) return refused('unknown message');
    return reader.atEnd ? { kind: 'read', message } : refused('bytes after the end');
  } catch (error) {
    if (error instanceof CborError) return refused(error.message);
    throw error;
  }
}

function readRest(
  reader: CborReader,
  type: number,
  count: number,
  pull: number,
): PullMessage | undefined {
  if (type === OPEN && (count === 6 || count === 7)) {
    const credit = reader.uint();
    if (credit === 0) throw new CborError('a pull gives credit', reader.offset);
    const open: OpenPull = {
      kind: 'open',
      pull,
      credit: Math.min(credit, CREDIT_MAX),
      scope: readScope(reader),
      vector: readVector(reader),
    };
    if (count === 6) return open;
    const resume = reader.bytes();
    if (resume.length > RESUME_BYTES_MAX) throw new CborError('resume too long', reader.offset);
    return { ...open, resume };
  }
  if (type === TAKEN && count === 3) return { kind: 'taken', pull, page: reader.uint() };
  return type === CLOSE && count === 2 ? { kind: 'close', pull } : undefined;
}
