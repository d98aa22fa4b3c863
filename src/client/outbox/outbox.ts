/**
 * Ops of this device that the hub has not proven to have, or that have not come back from it yet. An op is shown at
 * once, kept before it is sent, sent until it is receipted, and shown until the hub's own state has it. Its seq is
 * never given to another op: the log says how far each lane has come, also when all ops are gone from it.
 *
 * It refuses new ops beyond its limit, what no hub would take, and all of them once the storage has failed: what cannot be
 * kept must not be promised.
 */
import type { Clock } from '../../base/clock.ts';
import { must } from '../../base/assert.ts';
import { HubError } from '../../base/errors.ts';
import { addTo } from '../../base/groups.ts';
import type { Random } from '../../base/random.ts';
import { isSameOp, type OpId, opIdOf } from '../../merge/op-id.ts';
import { type OpClass, perClass } from '../../model/class.ts';
import type { Hlc } from '../../model/hlc.ts';
import { encodeOp, type Op } from '../../model/op.ts';
import { laneOf, type Origin, ORIGIN_BYTES } from '../../model/origin.ts';
import { seqIn } from '../../model/version-vector.ts';
import type { Receipt, ToldConflict } from '../../protocol/receipt-message.ts';
import type { Entry, NewOp, OwnOp } from './entry.ts';
import { encodeLogEntry, type LogEntry } from './log-entry.ts';
import { Moments } from './moments.ts';
import { encodeOpsMessage, MESSAGE_OPS_MAX } from './ops-message.ts';
import { LaneNumbers, voidEntry } from './lane-numbers.ts';
import { LogWriter } from './log-writer.ts';
import type { Kept } from './made.ts';
import { lostIn, newLog, type ReadLog, readLog } from './outbox-log.ts';
import { Resending } from './resending.ts';
import { unfitReason } from './unfit.ts';
import type { DeviceStorage } from '../storage/storage.ts';

/** What a receipt said. */
export interface Taken {
  /** It was about this origin. */
  readonly isOwn: boolean;
  /** Nothing has got on, and something was not taken: it is of no use to send the same again at once. */
  readonly waits: boolean;
  /** Ops have another number now; they are to be sent when that is written. */
  readonly hasMadeAnew: boolean;
}

export interface OutboxOptions {
  readonly storage: DeviceStorage;
  readonly clock: Clock;
  readonly random: Random;
  /** Called when what it holds has changed. */
  readonly onChange: (key: string) => void;
  /** Whether the op comes back in a page. */
  readonly comesBack: (op: Op) => boolean;
}

export const OUTBOX_OPS_MAX = 20_000;
export const OUTBOX_BYTES_MAX = 64 << 20;
/** Entries of the log that are of no use any more, before it is written anew. */
const STALE_MAX = 1_000;

export class Outbox {
  readonly origin: Origin;
  readonly moments: Moments;
  readonly #options: OutboxOptions;
  readonly #bootId: number;
  /** In the order of their birth. */
  #entries: Entry[] = [];
  /** Those before it are receipted. */
  #first = 0;
  #bytes = 0;
  #pending = 0;
  /** Undefined where it has to be made anew. */
  #byKey: Map<string, Entry[]> | undefined;
  readonly numbers: LaneNumbers;
  readonly #resending = new Resending();
  #unkept: Entry[] = [];
  /** Written behind them. */
  #notes: LogEntry[] = [];
  #writing: Promise<void> | undefined;
  readonly #log = new LogWriter();
  #stale: number;

  private constructor(options: OutboxOptions, read: ReadLog) {
    const { clock, random } = options;
    this.#options = options;
    this.#bootId = new DataView(random.bytes(4).buffer).getUint32(0);
    this.origin = read.origin;
    this.moments = new Moments(clock, read.hlc);
    this.numbers = new LaneNumbers(read.origin, read.given, read.receipted);
    // No other op may have such a number: hubs go on behind it as behind what another hub has.
    this.numbers.saw(lostIn(read));
    this.#stale = read.stale;
    for (const { op, bytes } of read.ops.values()) {
      const isReceipted = op.seq <= seqIn(read.receipted, laneOf(op.origin, op.class));
      const stage = isReceipted ? 'receipted' : 'waiting';
      this.#entries.push({ op, bytes, stage, refusal: undefined, resolve: noop, reject: noop });
      this.#bytes += bytes.length;
      if (!isReceipted) this.#pending += 1;
    }
  }

  /** Reads what the storage holds; a new one gets an origin of its own, which is kept before it is used. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const { storage, random } = options;
    const read = readLog(storage.entries);
    const outbox = new Outbox(options, read ?? newLog(random.bytes(ORIGIN_BYTES)));
    if (read === undefined) await storage.replace(outbox.#wholeLog());
    else if (storage.damage !== undefined) {
      outbox.#stale = STALE_MAX;
      await outbox.tidy();
    }
    return outbox;
  }

  /** Ops that lie over what the hub gave, oldest first. */
  get ops(): readonly OwnOp[] {
    return this.#entries;
  }

  /** The same by key. */
  get opsByKey(): ReadonlyMap<string, readonly OwnOp[]> {
    if (this.#byKey === undefined) {
      this.#byKey = new Map();
      for (const entry of this.#entries) addTo(this.#byKey, entry.op.key, entry);
    }
    return this.#byKey;
  }

  /** Ops that the hub has not proven to have. */
  get pending(): number {
    return this.#pending;
  }

  /** Whether room runs short for what the hub has, and only waits for the state to be kept. */
  get isCrowded(): boolean {
    const receipted = this.#entries.length - this.#pending;
    return receipted > OUTBOX_OPS_MAX / 4 || (receipted > 0 && this.#bytes > OUTBOX_BYTES_MAX / 2);
  }

  /** Why what is made is not kept at the moment, or not any more. */
  get trouble(): HubError | undefined {
    return this.#log.trouble;
  }

  /** What time it is for the hub at the other end. */
  heardTime(hlc: Hlc): void {
    if (!this.moments.heardTime(hlc, this.#pending === 0)) return;
    // The log must not bring them back.
    this.#stale = STALE_MAX;
    void this.tidy();
  }

  /** Makes an op. It shows at once; the promise resolves when the hub has it for good. */
  add(parts: NewOp): { readonly op: OpId; readonly kept: Promise<Kept> } {
    const { clock, onChange } = this.#options;
    if (this.#log.isBroken) throw must(this.#log.trouble, 'it is broken');
    if (this.#entries.length >= OUTBOX_OPS_MAX || this.#bytes >= OUTBOX_BYTES_MAX) {
      throw new HubError('client.outbox-full', `${this.#pending} ops wait for a hub`);
    }
    const lane = laneOf(this.origin, parts.class);
    const seq = this.numbers.next(lane);
    const quality = clock.quality();
    const monotonicMs = Math.floor(clock.monotonicMs());
    const stamp = { quality, bootId: this.#bootId, monotonicMs };
    const op: Op = { ...parts, origin: this.origin, seq, hlc: this.moments.next(), clock: stamp };
    const bytes = encodeOp(op);
    const unfit = unfitReason(op, bytes);
    if (unfit !== undefined) throw new HubError('client.unfit', unfit);
    this.numbers.give(lane, seq);
    this.#bytes += bytes.length;
    this.#pending += 1;
    const kept = new Promise<Kept>((resolve, reject) => {
      const entry: Entry = { op, bytes, stage: 'new', refusal: undefined, resolve, reject };
      this.#entries.push(entry);
      this.#unkept.push(entry);
      if (this.#byKey !== undefined) addTo(this.#byKey, op.key, entry);
    });
    kept.catch(noop); // Who does not wait for it is not to be ended by it.
    onChange(parts.key);
    this.#write();
    return { op: opIdOf(op), kept };
  }

  /** A line to a hub is up. */
  newLine(): void {
    this.#resending.newLine();
  }

  /** Who is at its other end; undefined where that is not known. */
  met(hub: Origin | undefined): void {
    this.#resending.met(hub);
  }

  /** The next message for the hub, undefined where nothing waits. */
  message(): Uint8Array | undefined {
    const waiting: Entry[] = [];
    for (let at = this.#firstUnreceipted(); at < this.#entries.length; at++) {
      const entry = this.#entries[at] as Entry;
      if (entry.stage === 'waiting') waiting.push(entry);
      if (waiting.length === MESSAGE_OPS_MAX) break;
    }
    const again = this.#resending.parts({
      receipted: this.numbers.atHubs,
      shown: () => this.#entries.filter(({ stage }) => stage === 'receipted'),
      waiting: new Set(this.numbers.waiting),
      nowMs: this.#options.clock.monotonicMs(),
    });
    return encodeOpsMessage([...again.ops, ...waiting], again.floors);
  }

  /** Takes a receipt. */
  take(receipt: Receipt, device: string): Taken {
    const accepted = this.numbers.own(receipt.accepted);
    const rejected = this.numbers.own(receipt.rejected);
    const notes: LogEntry[] = [];
    let hasMoved = false;
    let count = 0;
    if (receipt.refused !== undefined) this.#resending.refused();
    this.numbers.saw(new Map(accepted.map(({ class: of, seq }) => [laneOf(this.origin, of), seq])));
    const hasMadeAnew = this.#makeAnew(rejected, device);
    const [{ atHubs }, nowMs] = [this.numbers, this.#options.clock.monotonicMs()];
    for (const { class: opClass, seq } of accepted) {
      const lane = laneOf(this.origin, opClass);
      const receipted = seqIn(this.numbers.receipted, lane);
      if (this.#resending.heard(lane, seq, seqIn(atHubs, lane), nowMs)) hasMoved = true;
      // Another hub, or one that lost its memory, may know less than was receipted once; that counts.
      if (seq <= receipted) continue;
      this.numbers.receipt(lane, seq);
      count += seq - receipted;
      notes.push({ type: 'receipt', class: opClass, seq });
    }
    if (notes.length > 0) this.#settle(receipt.conflicts ?? [], count);
    for (const { class: opClass, seq, reason, verdict } of rejected) {
      const entry = this.#find(opClass, seq);
      // Of one message two receipts may come: what is said of the op is not said of what lies in its place.
      if (verdict !== 'never') continue;
      if (entry?.stage === 'waiting' && entry.refusal === undefined) {
        notes.push(this.#void(entry, reason, device));
      } else if (entry?.stage !== 'waiting') {
        this.#resending.unfit(laneOf(this.origin, opClass), seq);
      }
    }
    // The number that was given twice is only let go of when the op has another one.
    if (hasMadeAnew) this.#notes.push(...notes);
    else if (notes.length > 0) void this.#note(notes);
    const waits = rejected.length > 0 && notes.length === 0 && !hasMoved;
    return { isOwn: accepted.length + rejected.length > 0, waits, hasMadeAnew };
  }

  /** Forgets ops that the hub's state has now. Call it when that state is kept, or nothing depends on it. */
  forget(isKnown: (op: OpId) => boolean): void {
    this.#drop(({ op }) => isKnown(op));
  }

  /** Writes the log anew where most of it is of no use. */
  async tidy(): Promise<void> {
    if (this.#stale < STALE_MAX) return;
    const stale = this.#stale;
    this.#stale = 0;
    const { storage } = this.#options;
    const trouble = await this.#log.inTurn(() => storage.replace(this.#wholeLog()));
    if (trouble !== undefined) this.#stale += stale;
  }

  /** All that counts at this moment; what is not written yet comes behind it. */
  #wholeLog(): Uint8Array[] {
    const { origin, numbers, moments } = this;
    const [lanes, { receipted }] = [numbers.written(this.#entries), numbers];
    const ops = this.#entries.filter(({ stage }) => stage !== 'new');
    return [
      encodeLogEntry({ type: 'head', origin, hlc: moments.last, lanes, receipted }),
      ...[...this.#resending.spares.all(), ...ops].map(({ op, bytes }) =>
        encodeLogEntry({ type: 'op', op, bytes }),
      ),
    ];
  }

  /** Resolves when all that was made is kept on this device. */
  async whenWritten(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Nobody is told any more what became of an op; all of them are kept. */
  abandon(): void {
    const reason = new HubError('client.closed', 'closed before a hub had it');
    for (const { stage, refusal, reject } of this.#entries) {
      if (stage === 'waiting' && refusal === undefined) reject(reason);
    }
  }

  /** Gives those that bear another op's number one of their own; something empty stands in the log by the old ones. */
  #makeAnew(rejected: Receipt['rejected'], device: string): boolean {
    const found = rejected.flatMap((each) =>
      this.numbers.isAnothers(each) ? (this.#find(each.class, each.seq) ?? []) : [],
    );
    const taken = found.filter(({ stage }) => stage === 'waiting');
    if (taken.length === 0) return false;
    this.#notes.push(...taken.map(({ op }) => voidEntry(op, device)));
    const isTaken = new Set(taken);
    this.#entries = [...this.#entries.filter((entry) => !isTaken.has(entry)), ...taken];
    this.#first = 0;
    this.#byKey = undefined;
    for (const entry of taken) {
      this.#bytes -= entry.bytes.length;
      this.numbers.renumber(entry);
      this.#bytes += entry.bytes.length;
      this.#options.onChange(entry.op.key);
    }
    this.#unkept.push(...taken);
    this.#write();
    return true;
  }

  #find(opClass: OpClass, seq: number): Entry | undefined {
    return this.#entries.find(({ op }) => op.class === opClass && op.seq === seq);
  }

  /** Ops that the hub has now, `count` of them. */
  #settle(conflicts: readonly ToldConflict[], count: number): void {
    let left = count;
    const receipted = perClass((opClass) =>
      seqIn(this.numbers.receipted, laneOf(this.origin, opClass)),
    );
    let isAnyGone = false;
    for (let at = this.#firstUnreceipted(); at < this.#entries.length && left > 0; at++) {
      const entry = this.#entries[at] as Entry;
      const { op } = entry;
      const { class: opClass, seq } = op;
      if (entry.stage !== 'waiting' || seq > receipted[opClass]) continue;
      left -= 1;
      isAnyGone ||= !this.#options.comesBack(op);
      entry.stage = 'receipted';
      this.#pending -= 1;
      const own = conflicts.filter(
        ({ winner, loser }) => isSameOp(winner, op) || isSameOp(loser, op),
      );
      if (entry.refusal === undefined) entry.resolve({ op: opIdOf(op), conflicts: own });
      this.#options.onChange(op.key);
    }
    if (isAnyGone) this.#drop(({ op }) => !this.#options.comesBack(op));
  }

  /** Where receipted ops end: thousands may wait, or be shown until the state has them. */
  #firstUnreceipted(): number {
    while (this.#entries[this.#first]?.stage === 'receipted') this.#first += 1;
    return this.#first;
  }

  /** Shows receipted ops no more. */
  #drop(isDue: (entry: Entry) => boolean): void {
    this.#first = 0;
    this.#entries = this.#entries.filter((entry) => {
      const isGone = entry.stage === 'receipted' && isDue(entry);
      if (!isGone) return true;
      this.#bytes -= entry.bytes.length;
      this.#stale += this.#resending.spares.add(entry);
      return false;
    });
    this.#byKey = undefined;
  }

  /** The hub will never take it: an empty event takes its place, so that the lane goes on. */
  #void(entry: Entry, reason: string, device: string): LogEntry {
    const { key } = entry.op;
    const empty = voidEntry(entry.op, device);
    entry.refusal = reason;
    this.#byKey = undefined;
    entry.op = empty.op;
    entry.bytes = empty.bytes;
    entry.reject(new HubError('client.refused', `${key}: ${reason}`));
    this.#options.onChange(key);
    return empty;
  }

  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // What is made in one turn is kept with one sync.
    while (this.#unkept.length > 0) {
      const batch = this.#unkept;
      this.#unkept = [];
      const notes = this.#notes.splice(0);
      this.#stale += notes.length;
      const ops = batch.map(({ op, bytes }) => ({ type: 'op', op, bytes }) as const);
      const entries = [...ops, ...notes].map((entry) => encodeLogEntry(entry));
      const trouble = await this.#log.inTurn(async () => {
        await this.#options.storage.append(entries);
        for (const entry of batch) entry.stage = 'waiting';
      });
      if (trouble !== undefined) return this.#takeBack(trouble);
      for (const { op } of batch) this.#options.onChange(op.key);
    }
  }

  async #note(notes: readonly LogEntry[]): Promise<void> {
    this.#stale += notes.length;
    await this.#log.inTurn(() => this.#options.storage.append(notes.map(encodeLogEntry)));
  }

  /** What is not kept was not made: it is told, and its numbers are given again. */
  #takeBack(trouble: HubError): void {
    const lost = this.#entries.filter(({ stage }) => stage === 'new');
    this.#entries = this.#entries.filter(({ stage }) => stage !== 'new');
    this.#unkept = [];
    this.#first = 0;
    this.#pending -= lost.length;
    this.#byKey = undefined;
    for (const entry of lost) {
      this.numbers.takeBack(entry);
      this.#bytes -= entry.bytes.length;
      entry.reject(trouble);
      this.#options.onChange(entry.op.key);
    }
  }
}

function noop(): void {
  // Nobody waits.
}
