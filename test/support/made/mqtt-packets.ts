/**
 * MQTT packets as a client writes and reads them, made by hand from the standard and not from the broker's own
 * code, so that the two can disagree.
 */

export interface ConnectFields {
  readonly id?: string;
  readonly clean?: boolean;
  readonly keepaliveS?: number;
  readonly level?: number;
  readonly name?: string;
  readonly will?: { topic: string; payload: string; qos?: number; retain?: boolean };
  readonly username?: string;
  readonly password?: string;
  /** Replaces the flags that follow from the rest. */
  readonly flags?: number;
}

export function packet(first: number, ...body: (Uint8Array | number[])[]): Buffer {
  const bytes = Buffer.concat(body.map((part) => Buffer.from(part)));
  const length: number[] = [];
  let rest = bytes.length;
  do {
    length.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from([first, ...length]), bytes]);
}

export function uint16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

/** A length-prefixed text, or any bytes in its place. */
export function text(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from(uint16(bytes.length)), bytes]);
}

export function connect(fields: ConnectFields = {}): Buffer {
  const { id = 'client', clean = true, keepaliveS = 0, will, username, password } = fields;
  const { name = 'MQTT', level = 4 } = fields;
  let flags = clean ? 2 : 0;
  if (will !== undefined) flags |= 4 | ((will.qos ?? 0) << 3) | (will.retain === true ? 32 : 0);
  if (username !== undefined) flags |= 128;
  if (password !== undefined) flags |= 64;
  const parts = [text(name), [level, fields.flags ?? flags], uint16(keepaliveS), text(id)];
  if (will !== undefined) parts.push(text(will.topic), text(will.payload));
  if (username !== undefined) parts.push(text(username));
  if (password !== undefined) parts.push(text(password));
  return packet(0x10, ...parts);
}

export interface PublishFields {
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  readonly id?: number;
}

export function publish(
  topic: string | Uint8Array,
  payload: string | Uint8Array,
  { qos = 0, retain = false, dup = false, id = 1 }: PublishFields = {},
): Buffer {
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return packet(first, text(topic), qos > 0 ? uint16(id) : [], Buffer.from(payload as string));
}

export function subscribe(
  id: number,
  ...requests: (readonly [string | Uint8Array, number])[]
): Buffer {
  const body = requests.map(([filter, qos]) => Buffer.concat([text(filter), Buffer.from([qos])]));
  return packet(0x82, uint16(id), ...body);
}

export function unsubscribe(id: number, ...filters: (string | Uint8Array)[]): Buffer {
  return packet(0xa2, uint16(id), ...filters.map(text));
}

export const puback = (id: number): Buffer => packet(0x40, uint16(id));
export const pubrec = (id: number): Buffer => packet(0x50, uint16(id));
export const pubrel = (id: number): Buffer => packet(0x62, uint16(id));
export const pubcomp = (id: number): Buffer => packet(0x70, uint16(id));
export const PINGREQ = packet(0xc0);
export const DISCONNECT = packet(0xe0);

/** A packet of the broker, in words: `puback 7`, `publish a/b hello qos1 id3 dup`. */
export function describePacket(first: number, body: Buffer): string {
  const id = body.length >= 2 ? body.readUInt16BE(0) : 0;
  switch (first) {
    case 0x20:
      return `connack ${body[1]}${body[0] === 1 ? ' present' : ''}${body.length > 2 ? ' mqtt5' : ''}`;
    case 0x40:
      return `puback ${id}`;
    case 0x50:
      return `pubrec ${id}`;
    case 0x62:
      return `pubrel ${id}`;
    case 0x70:
      return `pubcomp ${id}`;
    case 0x90:
      return `suback ${id}: ${Array.from(body.subarray(2)).join(' ')}`;
    case 0xb0:
      return `unsuback ${id}`;
    case 0xd0:
      return 'pingresp';
    default:
      return first >> 4 === 3 ? describePublish(first, body) : `unknown ${first.toString(16)}`;
  }
}

function describePublish(first: number, body: Buffer): string {
  const topicEnd = 2 + body.readUInt16BE(0);
  const topic = body.toString('utf8', 2, topicEnd);
  const qos = (first >> 1) & 3;
  const payload = body.toString('utf8', qos > 0 ? topicEnd + 2 : topicEnd);
  const words = [`publish ${topic}`];
  if (payload !== '') words.push(payload.length > 40 ? `(${payload.length} bytes)` : payload);
  words.push(`qos${qos}`);
  if (qos > 0) words.push(`id${body.readUInt16BE(topicEnd)}`);
  if ((first & 8) !== 0) words.push('dup');
  if ((first & 1) !== 0) words.push('retained');
  return words.join(' ');
}

/** Takes bytes of the broker, gives whole packets. */
export class PacketReader {
  #pending = Buffer.alloc(0);

  feed(bytes: Uint8Array): { first: number; body: Buffer }[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const packets: { first: number; body: Buffer }[] = [];
    for (;;) {
      let length = 0;
      let at = 1;
      let byte: number | undefined = 128;
      for (let factor = 1; byte !== undefined && byte >= 128; factor *= 128) {
        byte = this.#pending[at++];
        length += ((byte ?? 0) % 128) * factor;
      }
      if (byte === undefined || this.#pending.length < at + length) return packets;
      const body = this.#pending.subarray(at, at + length);
      packets.push({ first: this.#pending[0] as number, body });
      this.#pending = this.#pending.subarray(at + length);
    }
  }
}
