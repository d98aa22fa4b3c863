/**
 * The regional node of this session, as its greeting shows it: what it reads, and, as a witness of the hub's history
 * (ledger/LEDGER.md §7), what it says of ours.
 */
import { EMPTY_BYTES } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { DownHello, Receipt } from '../batch/messages.ts';
import type { Encoding } from '../batch/payload.ts';
import { CLASS_NAMES } from '../model/class.ts';
import { BATCH_FORMAT_WITNESSED } from '../versions.ts';
import type { HistoryLog } from './ports.ts';

export class Counterpart {
  readonly #history: HistoryLog | undefined;
  readonly #log: Log;
  #encoding: Encoding = 'rows';
  #readsTrees = false;
  #regionKey: Uint8Array = EMPTY_BYTES;

  constructor(history: HistoryLog | undefined, log: Log) {
    this.#history = history;
    this.#log = log;
  }

  /** The best that it reads; every one reads rows. */
  get encoding(): Encoding {
    return this.#encoding;
  }

  /** Whether batches are to tell the hub's tree. */
  get readsTrees(): boolean {
    return this.#readsTrees;
  }

  greeted({ formats, encodings, publicKey }: DownHello): void {
    this.#encoding = encodings.includes('columns') ? 'columns' : 'rows';
    this.#readsTrees = formats.includes(BATCH_FORMAT_WITNESSED);
    this.#regionKey = publicKey;
  }

  /** The fault where the region remembers another history than ours: one of us was restored, or rewritten. */
  take({ class: opClass, witnessed }: Receipt): HubError | undefined {
    if (witnessed === undefined || this.#history === undefined) return undefined;
    if (this.#history.witnessed(opClass, witnessed, this.#regionKey)) return undefined;
    const { size } = witnessed;
    const name = CLASS_NAMES[opClass];
    this.#log.error('ledger.forked', { class: name, regionSize: size });
    const what = `the region knows ${size} ops of class ${name}, under a root that is not ours`;
    return new HubError('ledger.forked', what);
  }
}
