/**
 * Reads the packets of clients, strictly as MQTT 3.1.1 (and 3.1, which differs in its name, level and client ids)
 * says: reserved bits, identifiers, UTF-8 without U+0000 and surrogates, nothing left over at the end.
 * PUBLISH and the acknowledgements, where the speed is, are read in client.ts by their few bytes.
 */
import { textOf } from '../../base/bytes.ts';
import type { Qos } from '../contract.ts';

export const CONNECT = 1;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBSCRIBE = 8;
export const UNSUBSCRIBE = 10;
export const PINGREQ = 12;
export const DISCONNECT = 14;

/** Return codes of CONNACK (MQTT 3.1.1 table 3.1). */
export const ACCEPTED = 0;
export const UNACCEPTABLE_LEVEL = 1;
export const IDENTIFIER_REJECTED = 2;
export const SERVER_UNAVAILABLE = 3;
export const BAD_CREDENTIALS = 4;
export const NOT_AUTHORISED = 5;

/** Return code of SUBACK for a filter that was not granted. */
export const SUBSCRIPTION_REFUSED = 0x80;

/** Whether this can be the first byte of a connection. */
export function isConnect(first: number | undefined): boolean {
  return first !== undefined && first >> 4 === CONNECT;
}

/** A packet that breaks the standard; the text names the statement. The connection is closed [MQTT-4.8.0-1]. */
export class PacketError extends Error {
  override readonly name = 'PacketError';
}

export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
}

export interface Connect {
  /** 3: MQTT 3.1, 4: MQTT 3.1.1. */
  readonly level: 3 | 4;
  readonly clientId: string;
  readonly clean: boolean;
  /** 0: none. */
  readonly keepaliveS: number;
  readonly will?: Will;
  readonly username?: string;
  readonly password?: Buffer;
}

/** A CONNECT of another version of MQTT: `level` says which, 5 for MQTT 5. */
export interface ForeignConnect {
  readonly level: number;
  readonly foreign: true;
}

/** Reads fields of one packet, from its body's first byte to its last. */
class BodyReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  byte(): number {
    return this.#buffer[this.#advance(1)] as number;
  }

  uint16(): number {
    return this.#buffer.readUInt16BE(this.#advance(2));
  }

  /** A copy, which may outlive the packet. */
  bytes(): Buffer {
    const length = this.uint16();
    const start = this.#advance(length);
    return Buffer.from(this.#buffer.subarray(start, start + length));
  }

  text(): string {
    const length = this.uint16();
    const start = this.#advance(length);
    return strictText(this.#buffer.subarray(start, start + length));
  }

  /** A packet identifier, never 0 [MQTT-2.3.1-1]. */
  packetId(): number {
    const id = this.uint16();
    if (id === 0) throw new PacketError('packet identifier 0 [MQTT-2.3.1-1]');
    return id;
  }

  finish(): void {
    if (!this.atEnd) throw new PacketError('bytes left over at the end of the packet');
  }

  #advance(count: number): number {
    const at = this.#at;
    if (at + count > this.#end) throw new PacketError('the packet ends within a field');
    this.#at = at + count;
    return at;
  }
}

/**
 * Well-formed UTF-8 without surrogates [MQTT-1.5.3-1] and U+0000 [MQTT-1.5.3-2]; U+FEFF stays [MQTT-1.5.3-3]. Throws
 * `PacketError`, also where `hasControl` holds.
 */
function strictText(bytes: Uint8Array): string {
  const text = textOf(bytes);
  if (text === undefined) throw new PacketError('text is not UTF-8 [MQTT-1.5.3-1]');
  if (text.includes('\u0000')) throw new PacketError('text has U+0000 [MQTT-1.5.3-2]');
  if (hasControl(text)) throw new PacketError(HAS_CONTROL);
  return text;
}

/** The complaint about a text for which `hasControl` holds. */
export const HAS_CONTROL = 'text has control characters or non-characters (MQTT 3.1.1 §1.5.3)';

/**
 * True where a text has what it should not: U+0001 … U+001F, U+007F … U+009F, code points that are no characters. A server may close the
 * connection then (§1.5.3); Mosquitto does, and what would steer a terminal stays out of logs and tables.
 */
export function hasControl(text: string): boolean {
  return CONTROL.test(text);
}

const CONTROL = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;

const CONNECT_CLEAN = 0x02;
const CONNECT_WILL = 0x04;
const CONNECT_WILL_RETAIN = 0x20;
const CONNECT_PASSWORD = 0x40;
const CONNECT_USERNAME = 0x80;

/** `headFlags`: lower half of the packet's first byte, which MQTT 3.1 leaves open, as it does bit 0 of the connect flags. */
export function parseConnect(
  headFlags: number,
  buffer: Buffer,
  start: number,
  end: number,
): Connect | ForeignConnect {
  const reader = new BodyReader(buffer, start, end);
  const name = reader.text();
  if (name !== 'MQTT' && name !== 'MQIsdp') throw new PacketError('not MQTT [MQTT-3.1.2-1]');
  const level = reader.byte();
  // What follows the level is another version's business [MQTT-3.1.2-2].
  if (level !== (name === 'MQTT' ? 4 : 3)) return { level, foreign: true };
  const flags = reader.byte();
  if (level !== 3) {
    if (headFlags !== 0) throw new PacketError('reserved flags [MQTT-2.2.2-2]');
    if ((flags & 1) !== 0) throw new PacketError('reserved connect flag [MQTT-3.1.2-3]');
  }
  const keepaliveS = reader.uint16();
  const clientId = reader.text();
  const will = readWill(reader, flags);
  const credentials = readCredentials(reader, flags);
  reader.finish();
  const clean = (flags & CONNECT_CLEAN) !== 0;
  return {
    level,
    clientId,
    clean,
    keepaliveS,
    ...(will !== undefined && { will }),
    ...credentials,
  };
}

function readWill(reader: BodyReader, flags: number): Will | undefined {
  const qos = (flags >> 3) & 3;
  const retain = (flags & CONNECT_WILL_RETAIN) !== 0;
  if ((flags & CONNECT_WILL) === 0) {
    if (qos !== 0) throw new PacketError('will QoS without a will [MQTT-3.1.2-13]');
    if (retain) throw new PacketError('will retain without a will [MQTT-3.1.2-15]');
    return undefined;
  }
  if (qos === 3) throw new PacketError('will QoS 3 [MQTT-3.1.2-14]');
  const topic = reader.text();
  return { topic, payload: reader.bytes(), qos: qos as Qos, retain };
}

function readCredentials(
  reader: BodyReader,
  flags: number,
): { username?: string; password?: Buffer } {
  const hasUsername = (flags & CONNECT_USERNAME) !== 0;
  const hasPassword = (flags & CONNECT_PASSWORD) !== 0;
  if (hasPassword && !hasUsername) {
    throw new PacketError('password without user name [MQTT-3.1.2-22]');
  }
  return {
    ...(hasUsername && { username: reader.text() }),
    ...(hasPassword && { password: reader.bytes() }),
  };
}

export interface Subscribe {
  readonly packetId: number;
  /** At least one; the filters' grammar is not checked yet. */
  readonly requests: readonly { readonly filter: string; readonly qos: Qos }[];
}

export function parseSubscribe(buffer: Buffer, start: number, end: number): Subscribe {
  const reader = new BodyReader(buffer, start, end);
  const packetId = reader.packetId();
  const requests: { filter: string; qos: Qos }[] = [];
  while (!reader.atEnd) {
    const filter = reader.text();
    const qos = reader.byte();
    if (qos > 2) throw new PacketError('requested QoS beyond 2 [MQTT-3.8.3-4]');
    requests.push({ filter, qos: qos as Qos });
  }
  if (requests.length === 0) throw new PacketError('SUBSCRIBE without a filter [MQTT-3.8.3-3]');
  return { packetId, requests };
}

export interface Unsubscribe {
  readonly packetId: number;
  readonly filters: readonly string[];
}

export function parseUnsubscribe(buffer: Buffer, start: number, end: number): Unsubscribe {
  const reader = new BodyReader(buffer, start, end);
  const packetId = reader.packetId();
  const filters: string[] = [];
  while (!reader.atEnd) filters.push(reader.text());
  if (filters.length === 0) throw new PacketError('UNSUBSCRIBE without a filter [MQTT-3.10.3-2]');
  return { packetId, filters };
}

/** The packet identifier that is all of PUBACK, PUBREC, PUBREL and PUBCOMP. */
export function parsePacketId(buffer: Buffer, start: number, end: number): number {
  if (end - start !== 2) throw new PacketError('an acknowledgement has two bytes');
  const packetId = ((buffer[start] as number) << 8) | (buffer[start + 1] as number);
  if (packetId === 0) throw new PacketError('packet identifier 0 [MQTT-2.3.1-1]');
  return packetId;
}

/** PINGREQ and DISCONNECT have no body. */
export function expectEmpty(start: number, end: number): void {
  if (start !== end) throw new PacketError('bytes where the packet has none');
}
