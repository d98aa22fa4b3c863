/**
 * All exchanges of a hub with others: those it dials (configured or discovered addresses) and those that others
 * dial. Between two hubs there is one exchange; where both dial each other, the one that the smaller id dialled stays.
 *
 * A line that fails is tried again with growing pauses, so a hub that is off costs a packet now and then.
 */
import { Backoff } from '../../base/backoff.ts';
import type { Cancel } from '../../base/clock.ts';
import { HubError, messageOf } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { OpStamp } from '../../merge/op-stamps.ts';
import type { Origin } from '../../model/origin.ts';
import type { PeerHost, PeerJournal, PeerPolicy } from './contract.ts';
import { INSTANCE_MIN } from './abilities.ts';
import { COPIED_MS, SPEAK_ALREADY } from './copied.ts';
import { LevelBook } from './level-book.ts';
import { type ExchangeStatus, PeerExchange } from './exchange.ts';
import { isOpen } from './peer-message.ts';

/** A line to the broker of another hub. */
export interface PeerLine {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface LineHandlers {
  onMessage(bytes: Uint8Array): void;
  onClose(reason: string): void;
}

interface PeerBookOptions extends PeerHost {
  readonly journal: PeerJournal & { onDurable(listener: (durableLsn: number) => void): void };
  /** Undefined: power allows no peers now. */
  readonly policy: () => PeerPolicy | undefined;
  readonly dial: (address: string, handlers: LineHandlers) => Promise<PeerLine>;
  /** Sends to a hub that has dialled us, by its name here. */
  readonly answer: (name: string, bytes: Uint8Array) => void;
  readonly random: Random;
}

export interface PeerStatus extends Omit<ExchangeStatus, 'isSynced' | 'heardMs'> {
  /** Address that we dial, or the name by which it has come here. */
  readonly address: string;
  readonly state: 'synced' | 'syncing' | 'connecting' | 'waiting' | 'refused';
  /** A copy of this hub's card was met there not long ago. */
  readonly isCopied: boolean;
  /** Why it is not connected. */
  readonly reason: string | undefined;
  /** On the monotonic clock. */
  readonly heardMs: number | undefined;
}

interface Peer {
  /** Empty for those who dial us. */
  readonly address: string;
  readonly name: string;
  /** Who is said to be there, where the address was not configured. */
  readonly foundAs: Origin | undefined;
  readonly backoff: Backoff;
  exchange: PeerExchange | undefined;
  line: PeerLine | undefined;
  hub: Origin | undefined;
  isDialling: boolean;
  isRefused: boolean;
  nextMs: number;
  /** When a copy of this hub's card was met there last. */
  copiedMs: number | undefined;
  reason: string | undefined;
  last: ExchangeStatus | undefined;
}

const PEERS_MAX = 32;
/** Addresses that were found and not configured. */
const FOUND_MAX = 16;
const LOOK_MS = 1_000;
const ASK_ANEW_MS = 10_000;
const PAUSE_MS_MIN = 2_000;
const PAUSE_MS_MAX = 300_000;

export class PeerBook {
  readonly #options: PeerBookOptions;
  readonly #dialled = new Map<string, Peer>();
  readonly #heard = new Map<string, Peer>();
  readonly #levelled = new LevelBook();
  readonly #stop: Cancel;
  readonly #instance: number;
  #isClosed = false;

  constructor(options: PeerBookOptions) {
    this.#options = options;
    const drawn = new DataView(options.random.bytes(4).buffer).getUint32(0);
    this.#instance = INSTANCE_MIN + drawn;
    options.journal.onDurable(() => {
      for (const { exchange } of this.#all()) exchange?.grown();
    });
    this.#stop = options.timers.every(LOOK_MS, () => this.#look());
  }

  /** An address to dial from now on; nothing happens where it is known, or there are too many. */
  add(address: string): void {
    if (this.#dialled.has(address) || this.#dialled.size >= PEERS_MAX) return;
    this.#dialled.set(address, this.#newPeer(address, address));
    this.#look();
  }

  /**
   * A place where somebody says that this hub is. Of each hub one such place is tried, the newest unless another works, and
   * of all so many; configured addresses come before.
   */
  found(hub: Origin, address: string): void {
    if (this.#isClosed || this.#dialled.has(address)) return;
    const isIdle = (peer: Peer): boolean => peer.exchange === undefined && !peer.isDialling;
    const found = [...this.#dialled.values()].filter(({ foundAs }) => foundAs !== undefined);
    const earlier = found.find(({ foundAs }) => foundAs === hub);
    const going = earlier ?? (found.length < FOUND_MAX ? undefined : found.find(isIdle));
    if (going === undefined && found.length >= FOUND_MAX) return;
    if (going !== undefined) {
      if (!isIdle(going)) return;
      this.#dialled.delete(going.address);
    }
    if (this.#dialled.size >= PEERS_MAX) return;
    this.#options.log.info('peer.found', { hub, address });
    this.#dialled.set(address, { ...this.#newPeer(address, address), foundAs: hub });
    this.#look();
  }

  /** A message of a hub that has dialled us; `name` is who it has proved to be. */
  heard(name: string, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    let peer = this.#heard.get(name);
    if (peer?.exchange === undefined) {
      if (peer === undefined && this.#heard.size >= PEERS_MAX) return;
      peer ??= this.#newPeer('', name);
      this.#heard.set(name, peer);
      this.#begin(peer, (message) => this.#options.answer(name, message));
    } else if (isOpen(bytes)) {
      // It has come anew, over another connection.
      peer.exchange.lost('came again');
      this.#begin(peer, (message) => this.#options.answer(name, message));
    }
    peer.exchange?.handle(bytes);
  }

  policyChanged(): void {
    const isAllowed = this.#options.policy() !== undefined;
    for (const { exchange } of this.#all()) {
      if (isAllowed) exchange?.policyChanged();
      else exchange?.end('no power for peers', 60);
    }
    this.#look();
  }

  /** Every peer hears anew, a moment later, what this hub lacks. */
  askAnew(): void {
    this.#options.timers.after(ASK_ANEW_MS, () => this.#ask('asks for what is missing'));
  }

  /** Ends all exchanges: each begins anew with what this hub holds by then. */
  #ask(reason: string): void {
    for (const { exchange } of this.#all()) exchange?.end(reason, 1);
  }

  rosterChanged(): void {
    for (const { exchange } of this.#all()) exchange?.rosterChanged();
  }

  /** Of a hub that speaks over another line the one that rests does not count: it would be one more hub that is not in sync. */
  status(): PeerStatus[] {
    const all = this.#all();
    const speaking = all.filter(({ exchange }) => exchange !== undefined);
    const rests = ({ exchange, reason, hub, foundAs }: Peer): boolean => {
      const who = hub ?? foundAs;
      if (exchange !== undefined) return false;
      return who === undefined
        ? reason === SPEAK_ALREADY && speaking.length > 0
        : speaking.some((other) => other.hub === who);
    };
    const counted = all.filter((peer) => this.#isCopied(peer) || !rests(peer));
    return counted.map((peer) => {
      const status = peer.exchange?.status() ?? peer.last;
      return {
        hub: peer.hub,
        address: peer.name,
        state: stateOf(peer),
        isCopied: this.#isCopied(peer),
        reason: peer.exchange === undefined ? peer.reason : undefined,
        opsSent: status?.opsSent ?? 0,
        opsTaken: status?.opsTaken ?? 0,
        stuckLanes: status?.stuckLanes ?? 0,
        heardMs: peer.hub === undefined ? undefined : status?.heardMs,
      };
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    for (const { exchange } of this.#all()) exchange?.end('the hub stops', 1);
  }

  #all(): Peer[] {
    return [...this.#dialled.values(), ...this.#heard.values()];
  }

  #newPeer(address: string, name: string): Peer {
    const backoff = new Backoff(PAUSE_MS_MIN, PAUSE_MS_MAX, this.#options.random);
    return {
      address,
      name,
      foundAs: undefined,
      backoff,
      exchange: undefined,
      line: undefined,
      hub: undefined,
      isDialling: false,
      isRefused: false,
      nextMs: 0,
      copiedMs: undefined,
      reason: undefined,
      last: undefined,
    };
  }

  #look(): void {
    const { policy, clock } = this.#options;
    if (this.#isClosed || policy() === undefined) return;
    const nowMs = clock.monotonicMs();
    for (const peer of this.#heard.values()) this.#forget(peer);
    for (const peer of this.#dialled.values()) {
      const isBusy = peer.exchange !== undefined || peer.isDialling || nowMs < peer.nextMs;
      if (!isBusy && !this.#isHeard(peer.hub)) void this.#dial(peer);
    }
  }

  #isHeard(hub: Origin | undefined): boolean {
    if (hub === undefined) return false;
    return [...this.#heard.values()].some(
      (peer) => peer.exchange !== undefined && peer.hub === hub,
    );
  }

  async #dial(peer: Peer): Promise<void> {
    const { dial, log } = this.#options;
    peer.isDialling = true;
    try {
      peer.line = await dial(peer.address, {
        onMessage: (bytes) => peer.exchange?.handle(bytes),
        onClose: (reason) => peer.exchange?.lost(reason),
      });
      const { line } = peer;
      if (this.#isClosed) return line.close();
      this.#begin(peer, (bytes) => line.send(bytes));
      peer.exchange?.open();
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      peer.isRefused = error.code === 'uplink.refused';
      this.#wait(peer, messageOf(error), 0);
      log.info('peer.unreachable', { address: peer.address, reason: messageOf(error) });
    } finally {
      peer.isDialling = false;
    }
  }

  #begin(peer: Peer, send: (bytes: Uint8Array) => void): void {
    const { policy, clock } = this.#options;
    peer.isRefused = false;
    const exchange: PeerExchange = new PeerExchange({
      ...this.#options,
      levelled: this.#levelled,
      instance: this.#instance,
      send,
      policy: () => policy() ?? { classes: new Set(), gatherMs: 0 },
      onKnown: (hub) => this.#known(peer, exchange, hub),
      onStamps: (taken) => this.#stampsTaken(exchange, taken),
      onState: () => this.#ask('holds a state'),
      onHole: () => this.askAnew(),
      onCopied: () => (peer.copiedMs = clock.monotonicMs()),
      onEnd: (reason, waitS) => this.#ended(peer, exchange, reason, waitS),
    });
    peer.exchange = exchange;
  }

  #stampsTaken(from: PeerExchange, stamps: readonly OpStamp[]): void {
    this.#levelled.changed(stamps);
    for (const { exchange } of this.#all()) if (exchange !== from) exchange?.tellStamps(stamps);
    this.#options.log.info('peer.stamps', { taken: stamps.length });
  }

  /** False where another exchange with the same hub stays instead of this one. */
  #known(peer: Peer, exchange: PeerExchange, hub: Origin): boolean {
    const { self, log } = this.#options;
    peer.hub = hub;
    peer.copiedMs = undefined;
    peer.backoff.reset();
    log.info('peer.known', { hub, address: peer.name });
    const isMine = self.hub < hub;
    for (const other of this.#all()) {
      if (other === peer || other.exchange === undefined || other.hub !== hub) continue;
      // Two that both are ours, or both are theirs: the older one stays.
      const isOtherDialled = other.address !== '';
      const isOtherBetter = isOtherDialled === (peer.address !== '') || isOtherDialled === isMine;
      if (isOtherBetter) return false;
      other.exchange.end(SPEAK_ALREADY, PAUSE_MS_MAX / 1_000);
    }
    if (peer.address === '') exchange.open();
    return true;
  }

  #ended(peer: Peer, exchange: PeerExchange, reason: string, waitS: number): void {
    if (peer.exchange !== exchange) return;
    peer.last = exchange.status();
    peer.exchange = undefined;
    const { line } = peer;
    peer.line = undefined;
    line?.close();
    this.#wait(peer, reason, waitS);
    this.#options.log.info('peer.ended', { hub: peer.hub, address: peer.name, reason });
    this.#forget(peer);
  }

  /** Of who has dialled us and never said who it is, nothing is kept but that it was a copy. */
  #forget(peer: Peer): void {
    const isStranger = peer.address === '' && peer.hub === undefined;
    if (isStranger && peer.exchange === undefined && !this.#isCopied(peer)) {
      this.#heard.delete(peer.name);
    }
  }

  #isCopied({ copiedMs = -Infinity }: Peer): boolean {
    return this.#options.clock.monotonicMs() - copiedMs < COPIED_MS;
  }

  #wait(peer: Peer, reason: string, waitS: number): void {
    peer.reason = reason;
    const pauseMs = Math.max(waitS * 1_000, peer.backoff.nextMs());
    peer.nextMs = this.#options.clock.monotonicMs() + pauseMs;
  }
}

function stateOf(peer: Peer): PeerStatus['state'] {
  if (peer.isRefused) return 'refused';
  if (peer.exchange === undefined) return peer.isDialling ? 'connecting' : 'waiting';
  if (peer.hub === undefined) return 'connecting';
  return peer.exchange.status().isSynced ? 'synced' : 'syncing';
}
