/**
 * The link that a session would take now, and how sure it is that the own upstream lies behind it.
 *
 *   absent ──route──▶ found ──two good probes within 30 s──▶ up
 *                       ▲                                     │
 *                       └── another device, two failures ─────┘        portal: NetworkManager sees one; not tried
 *
 * A probe is a greeting that the regional node has answered: signed, with a nonce of this session. No captive portal and no
 * stale cache can give it, and it costs no connection of its own: a link is tried when something is to be sent, because
 * trying is what costs energy. The first session on a new link therefore greets twice (region-link.ts).
 *
 * Where the machine does not tell its routes, every attempt is allowed and the dearest of the usual kinds assumed.
 */
import type { Cancel, Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Links } from '../../platform/links/links.ts';
import { DEFAULT_UPLINK_LIMITS } from '../options.ts';
import { COST_CLASSES, type Way, type WayKind, waysTo } from './ways.ts';

type LinkState = 'absent' | 'portal' | 'found' | 'up';

/** `appeared`: a way is there that was not, or was another; `gone`: none is left. */
type LinkChange = 'appeared' | 'gone';

interface LinkTrackerOptions {
  readonly links: Links;
  /** Host name or address of the upstream broker. */
  readonly host: string;
  /** The machine's: answers come in its time. */
  readonly clock: Clock;
  readonly log: Log;
  /** The operator's word on what carries it; undefined: as the kernel shows. */
  readonly override?: WayKind | undefined;
  readonly kindByDevice?: ReadonlyMap<string, WayKind>;
}

interface LinkView {
  readonly state: LinkState;
  readonly kind: WayKind;
  readonly costClass: number;
  /** Undefined where the machine does not tell. */
  readonly device: string | undefined;
}

const PROBES = 2;
/** As long as a session waits for an answer: of two that follow each other at once, the second is never later. */
const PROBES_WITHIN_MS = DEFAULT_UPLINK_LIMITS.replyMsMax;
const FAILURES_MAX = 2;
const UNKNOWN_KIND: WayKind = 'cellular';

export class LinkTracker {
  readonly #options: LinkTrackerOptions;
  readonly #stopWatching: Cancel;
  #way: Way | undefined;
  /** False where the machine does not tell its routes. */
  #isTold = false;
  #probesMs: number[] = [];
  #isUp = false;
  #failures = 0;
  #listener: (change: LinkChange) => void = () => undefined;

  constructor(options: LinkTrackerOptions) {
    this.#options = options;
    this.#look();
    this.#stopWatching = options.links.watch(() => this.#changed());
  }

  view(): LinkView {
    const kind = this.#options.override ?? this.#way?.kind ?? UNKNOWN_KIND;
    return { state: this.#state(), kind, costClass: COST_CLASSES[kind], device: this.#way?.device };
  }

  /** Whether an attempt can lead anywhere. */
  get isThere(): boolean {
    const state = this.#state();
    return state === 'found' || state === 'up';
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  onChange(listener: (change: LinkChange) => void): void {
    this.#listener = listener;
  }

  /** The regional node has answered a nonce of ours. */
  answered(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#failures = 0;
    this.#probesMs = [...this.#probesMs, nowMs].filter((at) => nowMs - at <= PROBES_WITHIN_MS);
    if (this.#isUp || this.#probesMs.length < PROBES) return;
    this.#isUp = true;
    const { kind, device } = this.view();
    this.#options.log.info('uplink.link.up', { link: kind, device: device ?? '' });
  }

  /** An attempt ended without an answer. */
  failed(): void {
    this.#failures += 1;
    if (this.#failures < FAILURES_MAX) return;
    this.#probesMs = [];
    this.#isUp = false;
  }

  close(): void {
    this.#stopWatching();
  }

  #state(): LinkState {
    if (this.#isUp) return 'up';
    if (!this.#isTold) return 'found';
    if (this.#way === undefined) return 'absent';
    return this.#way.isPortal ? 'portal' : 'found';
  }

  #look(): void {
    const { links, host, kindByDevice } = this.#options;
    const table = links.read();
    this.#isTold = table !== undefined;
    const ways = table === undefined ? [] : waysTo(host, table, kindByDevice);
    this.#way = ways[0];
  }

  #changed(): void {
    const before = this.#way;
    const wasThere = this.isThere;
    this.#look();
    const isOther = before?.device !== this.#way?.device;
    if (isOther) {
      this.#probesMs = [];
      this.#isUp = false;
      this.#failures = 0;
    }
    const { state, kind, device } = this.view();
    const isNews = isOther || wasThere !== this.isThere || before?.kind !== this.#way?.kind;
    if (!isNews) return;
    this.#options.log.info('uplink.link', { state, link: kind, device: device ?? '' });
    this.#listener(this.isThere ? 'appeared' : 'gone');
  }
}
