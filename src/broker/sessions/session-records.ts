/** What the broker writes into the log about sessions: the records of SESSIONS.md, and how they are read. */
import { CborError, CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import type { Role } from '../../model/op.ts';
import type { LoggedPublish, Qos } from '../contract.ts';

const TITLE = 'session';

const OPENED = 0;
const ENDED = 1;
const SUBSCRIBED = 2;
const UNSUBSCRIBED = 3;
const RECEIVED = 4;
const PROGRESS = 5;
const RELEASED = 6;
const MESSAGE = 7;
const RETAIN_FLAG = 4;

const LIMITS = { depthMax: 5, itemsMax: 100_000 };
const ROLES: readonly Role[] = ['device', 'technician', 'supervisor', 'operator'];

export interface WantedFilter {
  readonly filter: string;
  readonly qos: Qos;
}

/** How far a client has come with its lane; sequence numbers of durable-lane.ts. */
export interface LaneProgress {
  readonly base: number;
  readonly sent: number;
  /** While it is connected, more may have been sent than `sent` says. */
  readonly isOnline: boolean;
}

export type SessionRecord =
  | {
      readonly kind: 'opened';
      readonly clientId: string;
      readonly name: string;
      readonly role: Role;
    }
  | { readonly kind: 'ended'; readonly clientId: string }
  | { readonly kind: 'subscribed'; readonly clientId: string; readonly filters: WantedFilter[] }
  | { readonly kind: 'unsubscribed'; readonly clientId: string; readonly filters: string[] }
  /** The client has confirmed a QoS 2 message with PUBREC. */
  | { readonly kind: 'received'; readonly clientId: string; readonly sequence: number }
  | { readonly kind: 'progress'; readonly clientId: string; readonly progress: LaneProgress }
  /** The client has released the identifier of a QoS 2 publish with PUBREL. */
  | { readonly kind: 'released'; readonly clientId: string; readonly packetId: number }
  /** A publish that is no op, and is wanted or retained all the same. */
  | { readonly kind: 'message'; readonly publish: LoggedPublish };

export function encodeRecord(record: SessionRecord): Uint8Array {
  if (record.kind === 'message') return encodeMessage(record.publish);
  const writer = new CborWriter(64);
  const begin = (items: number, kind: number): CborWriter =>
    writer
      .array(items + 3)
      .text(TITLE)
      .uint(kind)
      .text(record.clientId);
  writeBody(record, begin);
  return writer.finish();
}

function writeBody(
  record: Exclude<SessionRecord, { kind: 'message' }>,
  begin: (items: number, kind: number) => CborWriter,
): void {
  switch (record.kind) {
    case 'opened':
      begin(2, OPENED).text(record.name).uint(ROLES.indexOf(record.role));
      return;
    case 'ended':
      begin(0, ENDED);
      return;
    case 'subscribed': {
      const writer = begin(1, SUBSCRIBED).array(record.filters.length);
      for (const { filter, qos } of record.filters) writer.array(2).text(filter).uint(qos);
      return;
    }
    case 'unsubscribed': {
      const writer = begin(1, UNSUBSCRIBED).array(record.filters.length);
      for (const filter of record.filters) writer.text(filter);
      return;
    }
    case 'received':
      begin(1, RECEIVED).uint(record.sequence);
      return;
    case 'progress': {
      const { base, sent, isOnline } = record.progress;
      begin(3, PROGRESS).uint(base).uint(sent).bool(isOnline);
      return;
    }
    case 'released':
      begin(1, RELEASED).uint(record.packetId);
      return;
  }
}

function encodeMessage(publish: LoggedPublish): Uint8Array {
  const { topic, payload, qos, retain, clientId, packetId } = publish;
  const writer = new CborWriter(topic.length + payload.length + clientId.length + 32);
  writer.array(7).text(TITLE).uint(MESSAGE).text(clientId).uint(packetId);
  writer
    .uint(qos | (retain ? RETAIN_FLAG : 0))
    .bytes(topic)
    .bytes(payload);
  return writer.finish();
}

/** Undefined where the record is not the broker's; throws `CborError` where it is, and cannot be read. */
export function decodeRecord(bytes: Uint8Array): SessionRecord | undefined {
  const reader = new CborReader(bytes, 0, LIMITS);
  if ((bytes[0] as number) >> 5 !== 4) return undefined;
  const items = reader.array();
  if (items < 3 || !isTitle(bytes, reader.offset) || reader.text() !== TITLE) return undefined;
  const kind = reader.uint();
  const clientId = reader.text();
  switch (kind) {
    case OPENED:
      return { kind: 'opened', clientId, name: reader.text(), role: readRole(reader) };
    case ENDED:
      return { kind: 'ended', clientId };
    case SUBSCRIBED:
      return { kind: 'subscribed', clientId, filters: readFilters(reader) };
    case UNSUBSCRIBED: {
      const filters = Array.from({ length: reader.array() }, () => reader.text());
      return { kind: 'unsubscribed', clientId, filters };
    }
    case RECEIVED:
      return { kind: 'received', clientId, sequence: reader.uint() };
    case PROGRESS: {
      const progress = { base: reader.uint(), sent: reader.uint(), isOnline: reader.bool() };
      return { kind: 'progress', clientId, progress };
    }
    case RELEASED:
      return { kind: 'released', clientId, packetId: reader.uint() };
    case MESSAGE: {
      const packetId = reader.uint();
      const flags = reader.uint();
      const retain = (flags & RETAIN_FLAG) !== 0;
      const place = { clientId, packetId, qos: readQos(flags & 3, reader), retain };
      return {
        kind: 'message',
        publish: { ...place, topic: reader.bytes(), payload: reader.bytes() },
      };
    }
    default:
      throw new CborError(`unknown session record ${kind}`, reader.offset);
  }
}

export function readRole(reader: CborReader): Role {
  const role = ROLES[reader.uint()];
  if (role === undefined) throw new CborError('unknown role', reader.offset);
  return role;
}

export function writeRole(writer: CborWriter, role: Role): void {
  writer.uint(ROLES.indexOf(role));
}

export function readFilters(reader: CborReader): WantedFilter[] {
  return Array.from({ length: reader.array() }, () => {
    reader.expectArray(2);
    return { filter: reader.text(), qos: readQos(reader.uint(), reader) };
  });
}

function readQos(qos: number, reader: CborReader): Qos {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new CborError('unknown QoS', reader.offset);
  return qos;
}

/** Whether a text of the title's length begins here: other writers of local entries begin with other things. */
function isTitle(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] === (0x60 | TITLE.length);
}
