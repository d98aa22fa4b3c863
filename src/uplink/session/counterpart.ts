/**
 * The regional node of this session, as its greeting shows it: what it reads, and, as a witness of the hub's history
 * (ledger/LEDGER.md §7), what it says of ours.
 */
import { bytesEqual, EMPTY_BYTES, hexOf } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { type Compression, compressionFor } from '../../batch/compression.ts';
import { storedText } from '../../batch/wire/jurisdictions.ts';
import type { DownHello } from '../../batch/wire/messages.ts';
import type { Receipt } from '../../batch/wire/receipt.ts';
import type { Encoding } from '../../batch/payload.ts';
import type { PayloadSealer } from '../../batch/payload-seal.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import {
  BATCH_FORMAT_CATCHING_UP,
  BATCH_FORMAT_SEALED,
  BATCH_FORMAT_WITNESSED,
} from '../../versions.ts';
import type { Files } from '../../platform/files/files.ts';
import type { BatchReader } from '../outbox.ts';
import type { BatchAudit, HistoryLog } from '../ports.ts';
import { RegionWait } from './region-wait.ts';
import { trustRegion } from '../region-key.ts';

/** What the hub asks of a region before it sends anything. */
interface Demands {
  /** Id of the operator's key. */
  readonly sealedTo: Uint8Array | undefined;
  readonly jurisdiction: string | undefined;
}

/**
 * Why nothing may be sent to the region that answers so: it could not open it, or may not store it. Everything stays
 * in the journal until the one or the other is put right.
 */
function objectionTo(
  { formats, opens = [], jurisdictions }: DownHello,
  { sealedTo, jurisdiction }: Demands,
): HubError | undefined {
  const readsSealed = formats.includes(BATCH_FORMAT_SEALED);
  if (sealedTo !== undefined && !(readsSealed && opens.some((id) => bytesEqual(id, sealedTo)))) {
    const held = opens.length === 0 ? 'none' : opens.map((id) => hexOf(id)).join(', ');
    const what = `batches are encrypted to key ${hexOf(sealedTo)}; the region can open: ${held}`;
    return new HubError('uplink.key-unknown', what);
  }
  if (jurisdiction !== undefined && !readsSealed) {
    const what = `the region is too old to be told jurisdiction ${jurisdiction}`;
    return new HubError('uplink.jurisdiction', what);
  }
  if (jurisdictions === undefined || jurisdictions.includes(jurisdiction ?? '')) return undefined;
  const own = jurisdiction === undefined ? 'no jurisdiction' : `jurisdiction ${jurisdiction}`;
  const what = `this site has ${own}; the region stores only ${storedText(jurisdictions)}`;
  return new HubError('uplink.jurisdiction', what);
}

interface CounterpartOptions {
  readonly files: Files;
  /** Folder of `region.pub`. */
  readonly dir: string;
  readonly site: string;
  readonly sealer?: PayloadSealer | undefined;
  readonly jurisdiction?: string | undefined;
  readonly history?: HistoryLog | undefined;
  readonly audit?: Pick<BatchAudit, 'hindered'> | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export class Counterpart {
  readonly #options: CounterpartOptions;
  /** What it says of waiting. */
  readonly wait: RegionWait;
  readonly #history: HistoryLog | undefined;
  readonly #log: Log;
  #encoding: Encoding = 'rows';
  #compression: Compression = 'none';
  #reads: BatchReader['history'] = 'none';
  #regionKey: Uint8Array = EMPTY_BYTES;
  /** Why nothing may be sent, as the audit log has it. */
  #hindrance: string | undefined;

  constructor(options: CounterpartOptions) {
    this.#options = options;
    this.wait = new RegionWait(options.clock);
    this.#history = options.history;
    this.#log = options.log;
  }

  /** Whether it is the one that we know and may send to; the fault where not. */
  meet(answer: DownHello): HubError | undefined {
    const { files, dir, site, sealer, jurisdiction, audit } = this.#options;
    const key = trustRegion(files, `${dir}/region.pub`, answer.publicKey);
    if (key.kind === 'pinned') this.#log.info('uplink.region.pinned', { site });
    const demands = { sealedTo: sealer?.keyId, jurisdiction };
    const objection = key.kind === 'other' ? key.fault : objectionTo(answer, demands);
    if (objection === undefined) {
      this.#greeted(answer);
      this.wait.heed(answer);
    } else {
      const { code, message, hint } = objection;
      this.#log.error(code, { reason: message, hint });
      if (message !== this.#hindrance) audit?.hindered(message);
    }
    this.#hindrance = objection?.message;
    return objection;
  }

  /** The best that it reads; every one reads rows. */
  get encoding(): Encoding {
    return this.#encoding;
  }

  /** The best that it reads and this hub writes. */
  get compression(): Compression {
    return this.#compression;
  }

  /** What batches are to tell of the hub's history. */
  get history(): BatchReader['history'] {
    return this.#reads;
  }

  #greeted({ formats, encodings, compressions, publicKey }: DownHello): void {
    this.#compression = compressionFor(compressions);
    this.#encoding = encodings.includes('columns') ? 'columns' : 'rows';
    this.#reads = historyFor(formats);
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

function historyFor(formats: readonly number[]): BatchReader['history'] {
  if (formats.includes(BATCH_FORMAT_CATCHING_UP)) return 'leaves';
  return formats.includes(BATCH_FORMAT_WITNESSED) ? 'trees' : 'none';
}
