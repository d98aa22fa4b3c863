/**
 * The part of an exchange that brings a hub on for whom nobody has the ops any more (PEERS.md §6): it is offered the state
 * that they came to, as its hub has signed it, asks for its bytes, piece by piece, and takes it over when it is whole. What
 * came before the line broke is not asked for again.
 *
 * Whoever takes decides the pace: a piece is sent when it is asked for.
 */
import type { Clock } from '../../base/clock.ts';
import { HubError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Lane, Origin } from '../../model/origin.ts';
import { seqIn, type VersionVector } from '../../model/version-vector.ts';
import type { GivenState, OfferedState, PeerStates, TakenState } from './contract.ts';
import { PEER_PAGE_BYTES_MAX, type PeerMessage } from './peer-message.ts';

type StateMessage = Extract<PeerMessage, { kind: 'offer' | 'ask' | 'part' }>;

/** Who has asked for a piece is busy with it for a while. */
const ASKED_MS = 120_000;

interface StateSwapOptions {
  readonly states: PeerStates;
  readonly peer: Origin;
  /** The peer reads the states of this hub. */
  readonly isReader: boolean;
  readonly send: (message: StateMessage) => void;
  /** A state was taken over, and all that was asked for before is out of date; or it did not come whole. */
  readonly onTaken: (isTaken: boolean) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export class StateSwap {
  readonly #options: StateSwapOptions;
  #given: GivenState | undefined;
  #taken: TakenState | undefined;
  /** Bytes of the state on its way here. */
  #bytes = 0;
  /** When a piece was asked for last. */
  #askedMs = -Infinity;
  /** Lanes for which a state was offered. */
  #offeredFor = 0;

  constructor(options: StateSwapOptions) {
    this.#options = options;
  }

  /** A state is on its way, in one direction or the other. */
  get isUnderWay(): boolean {
    const isAsked = this.#options.clock.monotonicMs() - this.#askedMs < ASKED_MS;
    return this.#taken !== undefined || isAsked;
  }

  /** Offers a state for what the peer can get no other way, once, where it brings it on. */
  offer(lanes: ReadonlySet<Lane>, holds: VersionVector): void {
    if (!this.#options.isReader || lanes.size === this.#offeredFor) return;
    this.#offeredFor = lanes.size;
    this.#given?.close();
    const given = (this.#given = this.#options.states.open());
    if (given === undefined) return;
    const { manifest, bytes, vector } = given;
    if (![...lanes].some((lane) => seqIn(vector, lane) > seqIn(holds, lane))) return this.close();
    const { peer, send, log } = this.#options;
    log.info('peer.state-offered', { hub: peer, bytes, lanes: lanes.size });
    send({ kind: 'offer', manifest, bytes });
  }

  handle(message: StateMessage): void {
    try {
      if (message.kind === 'offer') this.#offered(message);
      else if (message.kind === 'ask') this.#give(message.offset);
      else this.#add(message.offset, message.bytes);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      this.#options.log.warn('peer.state-broken', { reason: messageOf(error) });
      this.close();
    }
  }

  close(): void {
    this.#given?.close();
    this.#taken?.close();
    this.#given = this.#taken = undefined;
  }

  #offered(offer: OfferedState): void {
    const { states, peer } = this.#options;
    this.#taken?.close();
    this.#taken = states.take(offer, peer);
    this.#bytes = offer.bytes;
    this.#goOn();
  }

  #add(offset: number, bytes: Uint8Array): void {
    const taken = this.#taken;
    if (taken === undefined || offset !== taken.offset || bytes.length === 0) return;
    taken.add(bytes);
    this.#goOn();
  }

  #goOn(): void {
    const taken = this.#taken;
    if (taken === undefined) return;
    if (taken.offset < this.#bytes) this.#options.send({ kind: 'ask', offset: taken.offset });
    else void this.#finish(taken);
  }

  async #finish(taken: TakenState): Promise<void> {
    const isTaken = await taken.finish();
    if (this.#taken !== taken) return;
    this.#taken = undefined;
    this.#options.onTaken(isTaken);
  }

  #give(offset: number): void {
    const given = this.#given;
    if (given === undefined || offset >= given.bytes) return;
    this.#askedMs = this.#options.clock.monotonicMs();
    const bytes = given.read(offset, PEER_PAGE_BYTES_MAX);
    this.#options.send({ kind: 'part', offset, bytes });
  }
}
