/**
 * One device's pull: when its turn comes, a walk over the state, then the tail of the journal. It makes one page at a
 * time, and only while the device has credit, so that a slow device holds no memory but its place. What the device said of itself
 * is used for nothing but choosing what it gets: who lies, lacks what it says it has.
 */
import type { StateItem } from '../merge/state/state-item.ts';
import type { Lane } from '../model/origin.ts';
import { joinRanges, rangesUpTo, type SeqRange, splitRanges } from '../model/seq-ranges.ts';
import { seqIn, type VersionVector } from '../model/version-vector.ts';
import {
  type DeltaMessage,
  encodeDelta,
  encodeStateItem,
  type PageStage,
} from '../protocol/delta-message.ts';
import { PAGE_BYTES, PAGE_ITEMS_MAX } from '../protocol/limits.ts';
import type { OpenPull } from '../protocol/pull-message.ts';
import { isInScope, type Scope } from '../protocol/scope.ts';
import { encodeBeyond } from '../protocol/beyond.ts';
import type { OpTail } from './op-tail.ts';
import type { StateSource, StateWalk } from './state-walk.ts';

interface PullSessionOptions {
  readonly device: string;
  readonly open: OpenPull;
  /** Begins the walk, and tells the device so; throws `HubError` where the store is at fault. */
  readonly begin: () => StateWalk;
  readonly tail: OpTail;
  /** Whether the device may read the key, at this moment. */
  readonly mayRead: (key: string) => boolean;
  readonly send: (message: Uint8Array) => void;
  /** The state as it is now: another one than the walk's where it was begun anew. */
  readonly source: () => StateSource;
  readonly nowMs: () => number;
}

type SessionStep =
  /** There may be more to do at once. */
  | { readonly kind: 'more' }
  /** Nothing to do until the device has taken pages, or the journal has grown. */
  | { readonly kind: 'waits' }
  | { readonly kind: 'lapsed'; readonly reason: string };

const MORE: SessionStep = { kind: 'more' };
const WAITS: SessionStep = { kind: 'waits' };

export class PullSession {
  readonly device: string;
  readonly pull: number;
  readonly #options: PullSessionOptions;
  readonly #scope: Scope;
  #state: 'asked' | 'walks' | 'follows' = 'asked';
  #walk: StateWalk | undefined;
  /** What the device has of lanes with a gap here or there. */
  #gapped = new Map<Lane, readonly SeqRange[]>();
  /** The device has what concerns it up to here, when the walk is over. */
  #lsn = 0;
  #credit: number;
  #sent = 0;
  #taken = 0;
  #items: Uint8Array[] = [];
  #bytes = 0;
  #lanes = new Map<Lane, number>();
  /** When the device last said something. */
  #heardMs: number;

  constructor(options: PullSessionOptions) {
    const { device, open } = options;
    this.device = device;
    this.pull = open.pull;
    this.#options = options;
    this.#scope = open.scope;
    this.#credit = open.credit;
    this.#heardMs = options.nowMs();
  }

  /** Lanes that are held in memory for this pull. */
  get lanesHeld(): number {
    if (this.#state === 'asked') return this.#options.open.vector.size;
    return this.#walk?.size ?? this.#gapped.size;
  }

  /** Its turn has come. */
  get hasBegun(): boolean {
    return this.#state !== 'asked';
  }

  get follows(): boolean {
    return this.#state === 'follows';
  }

  /** For how long pages wait for the device's word; 0 where none does. */
  silentMs(): number {
    return this.#sent === this.#taken ? 0 : this.#options.nowMs() - this.#heardMs;
  }

  /** The device has kept all pages up to this one. */
  taken(page: number): void {
    this.#heardMs = this.#options.nowMs();
    if (page > this.#taken) this.#taken = Math.min(page, this.#sent);
  }

  /** Does a small piece of work: reads some of the state or of the tail, and sends at most one page. */
  step(): SessionStep {
    if (this.#state === 'asked') return this.#begin();
    if (this.#sent - this.#taken >= this.#credit) return WAITS;
    return this.#walk === undefined ? this.#stepTail() : this.#stepWalk(this.#walk);
  }

  #begin(): SessionStep {
    const walk = this.#options.begin();
    this.#walk = walk;
    this.#gapped = new Map(walk.gapped);
    this.#lsn = walk.lsn;
    this.#state = 'walks';
    return MORE;
  }

  #stepWalk(walk: StateWalk): SessionStep {
    if (this.#options.source() !== walk.source) return lapsed('the state is being built anew');
    if (!walk.isDone) {
      walk.step((item) => this.#takeItem(item));
      if (!this.#isFull && !walk.isDone) return MORE;
    }
    if (!walk.isDone) {
      this.#lanes = new Map(walk.reached());
      this.#sendPage('partial', walk.mark());
      return MORE;
    }
    this.#walk = undefined;
    this.#state = 'follows';
    this.#lanes = new Map(walk.lanes());
    this.#sendPage('caught-up', this.#beyond());
    this.#options.tail.follow(this.#lsn);
    return MORE;
  }

  #stepTail(): SessionStep {
    const look = this.#options.tail.after(this.#lsn);
    if (look.kind === 'released') return lapsed('too far behind what this hub still has');
    const { mayRead } = this.#options;
    for (const [at, { lsn, key, lane, seq, item }] of look.ops.entries()) {
      if (isInScope(this.#scope, key) && mayRead(key)) {
        this.#items.push(item);
        this.#bytes += item.length;
        this.#lanes.set(lane, Math.max(seq, seqIn(this.#lanes, lane)));
      }
      this.#lsn = lsn;
      // The place where it goes on is an entry's end; one may stamp many ops anew.
      if (!this.#isFull || look.ops[at + 1]?.lsn === lsn) continue;
      this.#sendLive();
      return MORE;
    }
    const hasMoved = look.throughLsn > this.#lsn || look.ops.length > 0;
    this.#lsn = Math.max(this.#lsn, look.throughLsn);
    if (this.#items.length > 0) this.#sendLive();
    return hasMoved ? MORE : WAITS;
  }

  /**
   * Tells how far the device has come in the lanes that were sent. Where the state has filled a gap further on in the journal
   * it counts what this device has not been sent; then the word waits until that has been.
   */
  #sendLive(): void {
    const source = this.#options.source();
    if (this.#lsn < source.filledLsn) {
      const lanes = this.#lanes;
      this.#lanes = new Map();
      this.#sendPage('live');
      this.#lanes = lanes;
      return;
    }
    let hasBeyond = false;
    for (const [lane, seq] of this.#lanes) {
      const here = rangesUpTo(source.rangesOf(lane), seq);
      const held = joinRanges(this.#gapped.get(lane) ?? [], here);
      const { upTo, rest } = splitRanges(held);
      if (upTo > 0) this.#lanes.set(lane, upTo);
      else this.#lanes.delete(lane);
      hasBeyond ||= rest.length > 0;
      if (rest.length === 0 && here[0]?.to === upTo) this.#gapped.delete(lane);
      else this.#gapped.set(lane, held);
    }
    this.#sendPage('live', hasBeyond ? this.#beyond() : undefined);
  }

  /** What the device has behind gaps, for it to show when it comes again. */
  #beyond(): Uint8Array | undefined {
    return encodeBeyond(
      new Map([...this.#gapped].map(([lane, ranges]) => [lane, splitRanges(ranges).rest])),
    );
  }

  /** Takes an item of the walk; false where the page is full without it. */
  #takeItem(item: StateItem): boolean {
    if (!('key' in item) || !this.#options.mayRead(item.key)) return true;
    this.#items.push(encodeStateItem(item));
    this.#bytes += (this.#items.at(-1) as Uint8Array).length;
    return !this.#isFull;
  }

  get #isFull(): boolean {
    return this.#bytes >= PAGE_BYTES || this.#items.length >= PAGE_ITEMS_MAX;
  }

  #sendPage(stage: PageStage, resume?: Uint8Array): void {
    this.#sent += 1;
    const lanes: VersionVector = this.#lanes;
    const page = { kind: 'page', pull: this.pull, page: this.#sent, stage, lanes } as const;
    const message: DeltaMessage = { ...page, items: this.#items };
    this.#options.send(encodeDelta(resume === undefined ? message : { ...message, resume }));
    this.#items = [];
    this.#bytes = 0;
    this.#lanes = new Map();
    if (this.#sent - this.#taken === 1) this.#heardMs = this.#options.nowMs();
  }
}

function lapsed(reason: string): SessionStep {
  return { kind: 'lapsed', reason };
}
