/**
 * Keeps a device in contact with its hub: connects again after every loss, hands in what waits, pulls what is lacking
 * and says which pages are kept. Whatever breaks is asked for anew; nothing is taken for done without the hub's word.
 */
import { Backoff } from '../../base/backoff.ts';
import type { Cancel, Timers } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { CborError } from '../../codec/reader.ts';
import {
  type Lapse,
  readDelta,
  type ReadPage,
  type Welcome,
} from '../../protocol/delta-message.ts';
import { type Notice, readNotice } from '../../protocol/notice-message.ts';
import { encodePull } from '../../protocol/pull-message.ts';
import { readReceipt } from '../../protocol/receipt-message.ts';
import type { Scope } from '../../protocol/scope.ts';
import type { DownCause, Link, LinkTarget, OpenLink } from './link.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Replica } from '../view/replica.ts';

export type Contact = 'offline' | 'connecting' | 'catching up' | 'live' | 'closed';

interface SessionOptions {
  readonly name: string;
  readonly target: Omit<LinkTarget, 'filters'>;
  readonly openLink: OpenLink;
  /** Undefined: this device only hands in. */
  readonly scope: Scope | undefined;
  readonly outbox: Outbox;
  readonly replica: Replica;
  /** Where an earlier pull broke off. */
  readonly resume: Uint8Array | undefined;
  readonly timers: Timers;
  readonly random: Random;
  readonly onPage: (
    touched: ReadonlySet<string>,
    page: ReadPage,
    resume: Uint8Array | undefined,
  ) => void;
  /** True where all is to be pulled anew. */
  readonly onWelcome: (welcome: Welcome) => boolean;
  readonly onNotice: (notice: Notice) => void;
  /** Called when the contact, or what waits, has changed. */
  readonly onContact: () => void;
}

const CREDIT = 8;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;
/** A receipt that takes longer is asked for again. */
const RECEIPT_MS_MAX = 20_000;
const LATER_MS = 2_000;
const PULL_RETRY_MS_MIN = 200;
/** What is lacking is asked for anew where nothing of it has come for so long: a large page takes its time on a slow line. */
const PULL_MS_MAX = 900_000;

export class Session {
  readonly #options: SessionOptions;
  readonly #backoff: Backoff;
  #contact: Contact = 'offline';
  /** Why there is no contact, or why the hub lets it wait. */
  #reason = '';
  #cause: DownCause | undefined;
  #endLink: (() => void) | undefined;
  #link: Link | undefined;
  #cancelRetry: Cancel | undefined;
  #cancelReceipt: Cancel | undefined;
  #cancelPull: Cancel | undefined;
  #isSending = false;
  #pull = 0;
  /** The pull of the line that was lost: its hub does not know that nobody listens, and would send each op for it, too. */
  #lostPull = 0;
  #page = 0;
  #resume: Uint8Array | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX, options.random);
    this.#resume = options.resume;
  }

  get contact(): Contact {
    return this.#contact;
  }

  get reason(): string {
    return this.#reason;
  }

  /** The same for programs; undefined where there is contact, or none was looked for yet. */
  get cause(): DownCause | undefined {
    return this.#cause;
  }

  /** Connects now, where it is not connected: the network may be back. */
  wake(): void {
    if (this.#contact !== 'offline') return;
    this.#backoff.reset();
    this.#connect();
  }

  /** The network is gone: what is still open is not to be trusted. */
  lose(reason: string): void {
    if (this.#link !== undefined) this.#endLink?.();
    if (this.#contact === 'offline') this.#setContact('offline', reason);
  }

  /** Hands in what waits. */
  send(): void {
    const { outbox, name } = this.#options;
    if (this.#link === undefined || this.#isSending) return;
    const message = outbox.message();
    if (message === undefined) return;
    this.#isSending = true;
    this.#link.publish(`sync/${name}/ops`, message, 1);
    this.#again(RECEIPT_MS_MAX);
  }

  close(): void {
    this.#setContact('closed', '');
    this.#cancelRetry?.();
    if (this.#pull !== 0) this.#say(encodePull({ kind: 'close', pull: this.#pull }));
    this.#endLink?.();
  }

  #connect(): void {
    const { target, openLink, name } = this.#options;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#setContact('connecting', this.#reason);
    const filters = ['receipt', 'delta', 'notice'].map((kind) => `sync/${name}/${kind}`);
    this.#endLink = openLink(
      { ...target, filters },
      {
        onUp: (link) => this.#up(link),
        onMessage: (topic, payload) => this.#message(topic, payload),
        onDown: (reason, cause = 'lost') => this.#down(reason, cause),
      },
    );
  }

  #up(link: Link): void {
    const { outbox, scope } = this.#options;
    this.#link = link;
    this.#cause = undefined;
    this.#backoff.reset();
    outbox.newLine();
    // Who pulls is told whom it has reached.
    if (scope === undefined) outbox.met(undefined);
    this.#setContact(scope === undefined ? 'live' : 'catching up', '');
    if (this.#lostPull !== 0) this.#say(encodePull({ kind: 'close', pull: this.#lostPull }));
    this.#lostPull = 0;
    this.#openPull();
    this.send();
  }

  #down(reason: string, cause: DownCause): void {
    this.#link = undefined;
    this.#endLink = undefined;
    this.#isSending = false;
    if (this.#pull !== 0) this.#lostPull = this.#pull;
    this.#pull = 0;
    this.#cancelReceipt?.();
    this.#cancelPull?.();
    if (this.#contact === 'closed') return;
    // Before it is told: who hears of it may close us.
    this.#cancelRetry = this.#options.timers.after(this.#backoff.nextMs(), () => this.#connect());
    this.#cause = cause;
    this.#setContact('offline', reason);
  }

  #openPull(): void {
    const { scope, replica, random } = this.#options;
    if (scope === undefined || this.#link === undefined) return;
    if (this.#pull !== 0) this.#say(encodePull({ kind: 'close', pull: this.#pull }));
    this.#pullAfter(PULL_MS_MAX);
    this.#pull = new DataView(random.bytes(4).buffer).getUint32(0);
    this.#page = 0;
    const { vector } = replica;
    const open = { kind: 'open', pull: this.#pull, credit: CREDIT, scope, vector } as const;
    const resume = this.#resume;
    this.#say(encodePull(resume === undefined ? open : { ...open, resume }));
  }

  #message(topic: string, payload: Uint8Array): void {
    try {
      if (topic.endsWith('/receipt')) this.#takeReceipt(payload);
      else if (topic.endsWith('/delta')) this.#takeDelta(payload);
      else this.#options.onNotice(readNotice(payload));
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      // What cannot be read is not acted upon; what it was about is asked for anew.
      this.#endLink?.();
    }
  }

  #takeReceipt(payload: Uint8Array): void {
    const { outbox, name, onContact } = this.#options;
    const receipt = readReceipt(payload);
    const { isOwn, waits, hasMadeAnew } = outbox.take(receipt, name);
    if (!isOwn && receipt.refused === undefined) return;
    this.#cancelReceipt?.();
    if (hasMadeAnew) void outbox.whenWritten().then(() => this.send());
    const isLater = receipt.rejected.some(({ verdict }) => verdict === 'later');
    onContact();
    if (receipt.refused !== undefined || isLater || waits) this.#again(LATER_MS);
    else {
      this.#isSending = false;
      this.send();
    }
  }

  /** Sends again after a while, unless a receipt comes first. */
  #again(afterMs: number): void {
    this.#cancelReceipt?.();
    this.#cancelReceipt = this.#options.timers.after(afterMs, () => {
      this.#isSending = false;
      this.send();
    });
  }

  #takeDelta(payload: Uint8Array): void {
    const message = readDelta(payload);
    if (message.pull !== this.#pull || this.#pull === 0) return;
    if (message.kind === 'welcome') this.#welcomed(message);
    else if (message.kind === 'lapse') this.#lapse(message);
    else this.#takePage(message);
  }

  #welcomed(welcome: Welcome): void {
    const { outbox, onWelcome } = this.#options;
    if (onWelcome(welcome)) {
      this.#resume = undefined;
      this.#openPull();
    }
    outbox.met(welcome.hub);
    this.send();
  }

  #takePage(page: ReadPage): void {
    const { replica, onPage } = this.#options;
    if (page.page !== this.#page + 1) return this.#openPull();
    this.#page = page.page;
    const touched = replica.take(page);
    // A page that follows says where to go on only where that has changed.
    if (page.stage !== 'live' || page.resume !== undefined) this.#resume = page.resume;
    onPage(touched, page, this.#resume);
    this.#say(encodePull({ kind: 'taken', pull: page.pull, page: page.page }));
    if (page.stage === 'partial') return this.#pullAfter(PULL_MS_MAX);
    this.#cancelPull?.();
    this.#setContact('live', '');
  }

  #lapse({ waitS, reason }: Lapse): void {
    this.#pull = 0;
    this.#resume = undefined;
    this.#setContact('catching up', reason);
    this.#pullAfter(waitS * 1_000 + PULL_RETRY_MS_MIN * (1 + this.#options.random.fraction()));
  }

  /** Asks anew for what is lacking, unless it comes before. */
  #pullAfter(waitMs: number): void {
    this.#cancelPull?.();
    this.#cancelPull = this.#options.timers.after(waitMs, () => this.#openPull());
  }

  #say(pull: Uint8Array): void {
    this.#link?.publish(`sync/${this.#options.name}/pull`, pull, 0);
  }

  #setContact(contact: Contact, reason: string): void {
    const hasChanged = contact !== this.#contact || reason !== this.#reason;
    this.#contact = contact;
    this.#reason = reason;
    if (hasChanged) this.#options.onContact();
  }
}
