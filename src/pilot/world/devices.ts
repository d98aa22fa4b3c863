/**
 * The field devices: meters with a reading every five minutes, a door that raises alarms, a camera, and phones that
 * write records and shared documents with the SDK's ops. They keep what has no acknowledgement and hand it in again, as QoS 1 does, and
 * fall silent while the site has no power. Dice are rolled whether or not anybody is up: the weather of faults
 * changes nothing about what the devices have to say.
 */
import { concatBytes } from '../../base/bytes.ts';
import { below } from '../../base/random.ts';
import { CborWriter } from '../../codec/writer.ts';
import { OPS_MAX } from '../../ingest/door/ops-message.ts';
import { encodePatch } from '../../merge/patch.ts';
import {
  ALARM,
  BULK,
  COMMAND,
  type OpClass,
  perClass,
  PREVIEW,
  RECORD,
  TELEMETRY,
} from '../../model/class.ts';
import { DOC, encodeOp, type Op, PATCH } from '../../model/op.ts';
import { laneOf, type Origin } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import type { SeededRandom } from '../../platform/sim/random.ts';
import type { Books, TrackedOp } from '../judging/books.ts';
import type { HubLife } from '../lives/hub-life.ts';
import { MINUTE_MS } from '../scenario.ts';
import { SharedNotes } from './shared-notes.ts';

/** Made when it is asked for: in a dark month what waits would fill the pilot's memory. */
type Payload = () => Uint8Array;

interface Message {
  readonly class: OpClass;
  readonly topic: string;
  readonly payload: Payload;
  readonly tracked: TrackedOp;
  readonly packetId: number;
  handedIn: boolean;
}

interface PhoneOp {
  readonly bytes: Uint8Array;
  readonly tracked: TrackedOp;
  readonly seq: number;
}

interface Phone {
  readonly name: string;
  readonly origin: Origin;
  seq: number;
  /** Without a receipt, oldest first. */
  waiting: PhoneOp[];
}

/** What has an LSN that is not durable yet. */
interface Pending {
  readonly lsn: number;
  readonly tracked: TrackedOp;
  readonly message: Message | undefined;
}

/** What happens in one minute, besides readings. */
interface Dice {
  readonly alarm: boolean;
  readonly command: boolean;
  readonly preview: boolean;
  readonly file: boolean;
  /** By phone. */
  readonly records: readonly boolean[];
}

/** Classes of plain messages: the hub numbers them. */
const HUB_CLASSES = [ALARM, COMMAND, TELEMETRY, PREVIEW, BULK] as const;
const READING_MINUTES = 5;
const PHONES_RATIO = 0.1;
/** A day, of the whole site. */
const ALARMS_PER_DAY = 1;
const COMMANDS_PER_DAY = 1;
const RECORDS_PER_PHONE = 12;
/** Of what phones write, every fourth is an edit of a document. */
const EDIT_EVERY = 4;
/** Yjs clients. */
const FIRST_WRITER = 1_001;
const PREVIEWS_PER_DAY = 6;
const PREVIEW_BYTES = 20_000;
/** A file of two megabytes, in pieces as the camera sends them. */
const FILES_PER_DAY = 1;
const FILE_PARTS = 8;
const FILE_PART_BYTES = 256 * 1024;
/** Messages of a class that devices keep without an acknowledgement; what comes then, nobody keeps. A door has no meter's memory to share. */
const UNACKED_MAX = 20_000;
const ROUNDS_OF_FLOOD = 50;
const DAY_MINUTES = 1_440;

export class Devices {
  readonly #books: Books;
  readonly #random: SeededRandom;
  readonly #meters: number;
  readonly #phones: readonly Phone[];
  readonly #noise: Uint8Array;
  readonly #notes: SharedNotes;
  #unacked: Message[] = [];
  readonly #kept = perClass(() => 0);
  #pending: Pending[] = [];
  /** Numbers that the hub has given out, by class: what the pilot expects of its journal. */
  #ownSeqs = perClass(() => 0);
  #packetId = 0;
  #files = 0;
  #records = 0;

  constructor(devices: number, books: Books, random: SeededRandom) {
    const phones = Math.max(1, Math.round(devices * PHONES_RATIO));
    this.#books = books;
    this.#random = random;
    this.#meters = Math.max(1, devices - phones);
    this.#phones = Array.from({ length: phones }, (_, index) => ({
      name: `phone-${index + 1}`,
      origin: `f0${String(index).padStart(14, '0')}` as Origin,
      seq: 0,
      waiting: [],
    }));
    this.#noise = random.bytes(FILE_PART_BYTES);
    this.#notes = new SharedNotes(random.fork('notes'));
  }

  /** One minute of the site: what happens is said, and what has no acknowledgement is handed in again. */
  minute(minute: number, nowMs: number, isPowered: boolean, hub: HubLife | undefined): void {
    const dice = this.#roll();
    if (isPowered) this.#happen(minute, nowMs, dice);
    if (hub !== undefined && isPowered) this.handInAll(hub);
  }

  /** What has no acknowledgement is handed in, for the first time or again. */
  handInAll(hub: HubLife): void {
    const refused = new Set<OpClass>();
    for (const message of this.#unacked) {
      if (message.handedIn || refused.has(message.class)) continue;
      this.#handIn(message, hub);
      if (!message.handedIn) refused.add(message.class);
    }
    for (const phone of this.#phones) this.#send(phone, hub);
  }

  /** A device gone mad: thousands of readings at once. */
  flood(nowMs: number): void {
    for (let round = 0; round < ROUNDS_OF_FLOOD; round++) {
      for (let meter = 0; meter < this.#meters; meter++) this.#read(meter, nowMs + round);
    }
  }

  /** The hub's journal has this on the card: acknowledgements reach the devices. */
  durable(lsn: number): void {
    let end = 0;
    while (end < this.#pending.length && (this.#pending[end] as Pending).lsn <= lsn) end++;
    const messages = new Set<Message>();
    for (const { tracked, message } of this.#pending.splice(0, end)) {
      this.#books.acknowledged(tracked);
      if (message !== undefined) messages.add(message);
    }
    for (const message of messages) this.#kept[message.class] -= 1;
    if (messages.size > 0) this.#unacked = this.#unacked.filter((it) => !messages.has(it));
    for (const phone of this.#phones)
      phone.waiting = phone.waiting.filter((it) => !it.tracked.acked);
  }

  /** The hub died: what it had not acknowledged will be handed in again. */
  hubDied(): void {
    this.#pending = [];
    for (const message of this.#unacked) message.handedIn = false;
  }

  /**
   * The hub is back. Throws where its journal has lost what was acknowledged; numbers that it gave out and did not
   * keep are forgotten.
   */
  hubIsBack(hub: HubLife): void {
    const vector = hub.serving.door.vector();
    const kept = perClass((opClass) => seqIn(vector, laneOf(hub.id, opClass)));
    for (const [key, tracked] of this.#books.outstanding()) {
      const [origin, opClass, seq] = partsOf(key);
      const known = seqIn(vector, laneOf(origin, opClass));
      if (seq > known && tracked.acked) {
        throw new Error(
          `acknowledged and not in the journal: ${key}, the journal ends at ${known}`,
        );
      }
    }
    for (const opClass of HUB_CLASSES) {
      for (let seq = kept[opClass] + 1; seq <= this.#ownSeqs[opClass]; seq++) {
        this.#books.forget(keyOf(hub.id, opClass, seq));
      }
    }
    this.#ownSeqs = kept;
  }

  /** Nothing is left that a device would have to hand in. */
  get isSettled(): boolean {
    return this.#unacked.length === 0 && this.#phones.every(({ waiting }) => waiting.length === 0);
  }

  #roll(): Dice {
    const perDay = (count: number): boolean => this.#random.fraction() < count / DAY_MINUTES;
    return {
      alarm: perDay(ALARMS_PER_DAY),
      command: perDay(COMMANDS_PER_DAY),
      preview: perDay(PREVIEWS_PER_DAY),
      file: perDay(FILES_PER_DAY),
      records: this.#phones.map(() => perDay(RECORDS_PER_PHONE)),
    };
  }

  #happen(minute: number, nowMs: number, dice: Dice): void {
    for (let meter = minute % READING_MINUTES; meter < this.#meters; meter += READING_MINUTES) {
      this.#read(meter, nowMs);
    }
    if (dice.alarm) this.#say(ALARM, 'alarms/door', text(`{"open":true,"at":${minute}}`), nowMs);
    if (dice.command) this.#say(COMMAND, 'commands/pump', text(`{"run":${minute % 2}}`), nowMs);
    if (dice.preview) {
      this.#say(PREVIEW, 'previews/camera', this.#picture(minute, PREVIEW_BYTES), nowMs);
    }
    if (dice.file) {
      this.#files += 1;
      for (let part = 0; part < FILE_PARTS; part++) {
        const bytes = this.#picture(this.#files * FILE_PARTS + part, FILE_PART_BYTES);
        this.#say(BULK, `files/camera/${part}`, bytes, nowMs);
      }
    }
    for (const [index, phone] of this.#phones.entries()) {
      if (dice.records[index] !== true) continue;
      this.#records += 1;
      this.#write(phone, nowMs, this.#wordsOf(phone, FIRST_WRITER + index));
    }
  }

  #read(meter: number, nowMs: number): void {
    const watts = 200 + 40 * Math.sin(nowMs / (6 * 60 * MINUTE_MS) + meter) + (nowMs % 7);
    const payload = `{"w":${watts.toFixed(1)},"v":${(230 + (meter % 5) / 10).toFixed(1)},"n":${Math.floor(nowMs / MINUTE_MS)}}`;
    this.#say(TELEMETRY, `meters/${meter}/reading`, text(payload), nowMs);
  }

  /** Kept from the first time that a hub is offered it: who refuses it is asked every minute. */
  #picture(number: number, bytes: number): Payload {
    const mask = number % 251;
    let made: Uint8Array | undefined;
    return () => (made ??= this.#noise.subarray(0, bytes).map((byte) => byte ^ mask));
  }

  #say(opClass: OpClass, topic: string, payload: Payload, nowMs: number): void {
    const tracked = this.#books.born(opClass, nowMs);
    if (this.#kept[opClass] >= UNACKED_MAX) return; // It is in the books, and nowhere else.
    this.#kept[opClass] += 1;
    this.#packetId = (this.#packetId % 65_535) + 1;
    const packetId = this.#packetId;
    this.#unacked.push({ class: opClass, topic, payload, tracked, packetId, handedIn: false });
  }

  #handIn(message: Message, hub: HubLife): void {
    const { topic, payload, packetId, tracked } = message;
    const admission = hub.serving.door.admit({
      topic,
      payload: payload(),
      packetId,
      qos: 1,
      retain: false,
      dup: false,
      clientId: 'field',
    });
    if (admission.kind !== 'journaled') return; // The journal is full or at fault: later then, and its like too.
    message.handedIn = true;
    const opClass = message.class;
    this.#ownSeqs[opClass] += 1;
    this.#books.number(keyOf(hub.id, opClass, this.#ownSeqs[opClass]), tracked, admission.lsn);
    this.#pending.push({ lsn: admission.lsn, tracked, message });
  }

  /** A visit, or a line in a document that others write in too. */
  #wordsOf(phone: Phone, writer: number): Pick<Op, 'kind' | 'key' | 'body'> {
    if (this.#records % EDIT_EVERY === 0) {
      const { key, update } = this.#notes.write(
        writer,
        `visit ${this.#records} by ${phone.name}. `,
      );
      return { kind: DOC, key, body: update };
    }
    const key = `visits/${below(this.#random, 200)}`;
    const fields = { note: `visit ${this.#records}`, by: phone.name, state: 'done' };
    return { kind: PATCH, key, body: encodePatch(fields) };
  }

  #write(phone: Phone, nowMs: number, words: Pick<Op, 'kind' | 'key' | 'body'>): void {
    phone.seq += 1;
    const bytes = encodeOp({
      origin: phone.origin,
      class: RECORD,
      seq: phone.seq,
      hlc: { ms: Math.floor(nowMs), counter: 0 },
      clock: { quality: 'ntp', bootId: 1, monotonicMs: Math.floor(nowMs % 1e9) },
      ...words,
    });
    phone.waiting.push({ bytes, tracked: this.#books.born(RECORD, nowMs), seq: phone.seq });
  }

  #send(phone: Phone, hub: HubLife): void {
    if (phone.waiting.length === 0) return;
    const ops = phone.waiting.slice(0, OPS_MAX).map(({ bytes }) => bytes);
    const message = concatBytes([new CborWriter(9).array(ops.length).finish(), ...ops]);
    const from = { role: 'technician', device: phone.name } as const;
    const outcome = hub.serving.door.acceptOps(message, from);
    const taken = outcome.accepted.find(({ origin }) => origin === phone.origin)?.seq ?? 0;
    for (const { seq, tracked } of phone.waiting) {
      if (seq > taken) continue;
      const key = keyOf(phone.origin, RECORD, seq);
      const lsn = outcome.lsn === 0 ? hub.serving.journal.lastLsn : outcome.lsn;
      this.#books.number(key, tracked, lsn);
      this.#pending.push({ lsn, tracked, message: undefined });
    }
  }
}

/** Not utf8(): a month has four hundred thousand readings, and small buffers share their memory. */
function text(payload: string): Payload {
  return () => Buffer.from(payload);
}

export function keyOf(origin: Origin, opClass: OpClass, seq: number): string {
  return `${origin}/${opClass}/${seq}`;
}

function partsOf(key: string): [Origin, OpClass, number] {
  const [origin = '', opClass, seq] = key.split('/');
  return [origin as Origin, Number(opClass) as OpClass, Number(seq)];
}
