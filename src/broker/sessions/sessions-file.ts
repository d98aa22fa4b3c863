/**
 * The file that sums up the log: all kept sessions and retained messages as they are when everything up to an LSN
 * has been applied. A start reads it and the log behind that LSN. Its form is SESSIONS.md; it is believed as a whole
 * or not at all.
 */
import { bytesEqual } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { sha256 } from '../../hashes.ts';
import type { Role } from '../../model/op.ts';
import type { Lsn } from '../contract.ts';
import type { LaneState } from './durable-lane.ts';
import { readFilters, readRole, type WantedFilter, writeRole } from './session-records.ts';

const SESSIONS_FORMAT = 1;
const TITLE = 'heliograph sessions';
const HASH_BYTES = 32;
const LIMITS = { depthMax: 6, itemsMax: 50_000_000 };

export interface KeptSession {
  readonly clientId: string;
  readonly name: string;
  readonly role: Role;
  /** How long its client has been away. */
  readonly awayMs: number;
  readonly filters: readonly WantedFilter[];
  /** Identifiers of QoS 2 publishes that were taken from it, with their LSNs. */
  readonly received: readonly (readonly [packetId: number, lsn: Lsn])[];
  readonly base: number;
  readonly sent: number;
  readonly isOnline: boolean;
  readonly lane: Iterable<readonly [lsn: Lsn, state: LaneState]>;
}

interface KeptMessage {
  readonly topic: Uint8Array;
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly lsn: Lsn;
}

export interface SessionsFile {
  readonly lsn: Lsn;
  readonly sessions: readonly KeptSession[];
  readonly retained: readonly KeptMessage[];
}

export function encodeSessionsFile({ lsn, sessions, retained }: SessionsFile): Uint8Array {
  const writer = new CborWriter(64 * 1024);
  writer.array(5).text(TITLE).uint(SESSIONS_FORMAT).uint(lsn).array(sessions.length);
  for (const session of sessions) writeSession(writer, session);
  writer.array(retained.length);
  for (const { topic, payload, qos, lsn: at } of retained) {
    writer.array(4).bytes(topic).bytes(payload).uint(qos).uint(at);
  }
  return writer.raw(sha256(writer.peek())).finish();
}

/** Throws `sessions.damaged`, or `data.newer` where a later version wrote it. */
export function decodeSessionsFile(bytes: Uint8Array): SessionsFile {
  try {
    return read(bytes);
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    throw new HubError('sessions.damaged', error.message, error);
  }
}

function read(bytes: Uint8Array): SessionsFile {
  const end = bytes.length - HASH_BYTES;
  if (end < 0) throw new CborError('cut short', bytes.length);
  const body = bytes.subarray(0, end);
  if (!bytesEqual(sha256(body), bytes.subarray(end))) {
    throw new CborError('the hash does not match', end);
  }
  const reader = new CborReader(body, 0, LIMITS);
  reader.expectArray(5);
  if (reader.text() !== TITLE) throw new CborError('not a file of sessions', 0);
  const format = reader.uint();
  if (format > SESSIONS_FORMAT) {
    throw new HubError('data.newer', `sessions have format ${format}, we know ${SESSIONS_FORMAT}`);
  }
  const lsn = reader.uint();
  const sessions = Array.from({ length: reader.array() }, () => readSession(reader));
  const retained = Array.from({ length: reader.array() }, () => {
    reader.expectArray(4);
    return {
      topic: reader.bytes(),
      payload: reader.bytes(),
      qos: reader.uint(),
      lsn: reader.uint(),
    };
  });
  return { lsn, sessions, retained };
}

function writeSession(writer: CborWriter, session: KeptSession): void {
  const { clientId, name, role, awayMs, filters, received, base, sent, isOnline, lane } = session;
  writer.array(10).text(clientId).text(name);
  writeRole(writer, role);
  writer.uint(Math.floor(awayMs)).array(filters.length);
  for (const { filter, qos } of filters) writer.array(2).text(filter).uint(qos);
  writer.array(received.length);
  for (const [packetId, lsn] of received) writer.array(2).uint(packetId).uint(lsn);
  writer.uint(base).uint(sent).bool(isOnline).bytes(encodeLane(lane));
}

function readSession(reader: CborReader): KeptSession {
  reader.expectArray(10);
  const clientId = reader.text();
  const name = reader.text();
  const role = readRole(reader);
  const awayMs = reader.uint();
  const filters = readFilters(reader);
  const received = Array.from({ length: reader.array() }, () => {
    reader.expectArray(2);
    return [reader.uint(), reader.uint()] as const;
  });
  const base = reader.uint();
  const sent = reader.uint();
  const isOnline = reader.bool();
  const lane = decodeLane(reader.bytes());
  return { clientId, name, role, awayMs, filters, received, base, sent, isOnline, lane };
}

/** Each message as a variable-length number, seven bits a byte, low ones first: its step in LSN times 4, plus state. */
function encodeLane(lane: Iterable<readonly [lsn: Lsn, state: LaneState]>): Uint8Array {
  let bytes = new Uint8Array(256);
  let at = 0;
  let previous = 0;
  for (const [lsn, state] of lane) {
    let value = (lsn - previous) * 4 + state;
    previous = lsn;
    if (at + 8 > bytes.length) {
      const grown = new Uint8Array(2 * bytes.length);
      grown.set(bytes);
      bytes = grown;
    }
    while (value >= 0x80) {
      bytes[at++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    bytes[at++] = value;
  }
  return bytes.subarray(0, at);
}

function* decodeLane(bytes: Uint8Array): Generator<[lsn: Lsn, state: LaneState]> {
  let lsn = 0;
  for (let at = 0; at < bytes.length;) {
    let value = 0;
    let factor = 1;
    let byte = 0x80;
    while (byte >= 0x80 && at < bytes.length) {
      byte = bytes[at++] as number;
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
    }
    lsn += Math.floor(value / 4);
    yield [lsn, (value % 4) as LaneState];
  }
}
