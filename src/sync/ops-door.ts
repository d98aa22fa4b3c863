/**
 * `sync/<device>/ops` → `sync/<device>/receipt`: a device hands in ops it has made and learns, when they are
 * durable, how far each of its lanes has come, which ops were not taken, with reasons, and what is in conflict
 * with them (PROTOCOL.md §2). Handing in the same ops again is harmless.
 *
 * Whatever a device sends, it gets a receipt that says what became of it; nothing it sends ends the hub.
 * Who may publish to whose topic is the gatekeeper's business.
 */
import { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OpId } from '../merge/op-id.ts';
import type { Kind, Op, Role } from '../model/op.ts';
import { encodeReceipt, type Receipt, type ToldConflict } from '../protocol/receipt-message.ts';

export type Lsn = number;

/** What became of the ops of one message; ingest/door/device-ops.ts produces it. */
export interface OpsOutcome extends Pick<Receipt, 'accepted' | 'rejected' | 'refused'> {
  readonly lsn: Lsn;
  readonly edits: readonly TakenEdit[];
  /** The device speaks for an origin that another device speaks for. */
  readonly isClash: boolean;
}

/** An op on a record that was taken. */
export interface TakenEdit extends OpId {
  readonly kind: Kind;
  readonly key: string;
  readonly body: Uint8Array;
}

export interface OpsFrom {
  readonly role: Role;
  readonly device: string;
  readonly mayWrite?: (op: Pick<Op, 'kind' | 'key'>) => boolean;
}

interface OpsDoorOptions {
  readonly acceptOps: (message: Uint8Array, from: OpsFrom) => OpsOutcome;
  /** Resolves when the LSN is durable. */
  readonly whenDurable: (lsn: Lsn) => Promise<void>;
  /** Open conflicts in which the ops take part, as far as they are folded; tells others of theirs. */
  readonly conflictsOf: (edits: readonly TakenEdit[], lsn: Lsn) => Promise<readonly ToldConflict[]>;
  /** Tells the device that another one speaks for its origin. */
  readonly tellClash: (device: string) => void;
  /** Sends to the devices that have subscribed, QoS 1. */
  readonly publish: (topic: string, payload: Uint8Array) => void;
  readonly log: Log;
}

interface OpsMessage {
  readonly topic: string;
  /** Valid during the call only. */
  readonly payload: Uint8Array;
  /** Undefined where the publisher is not known any more; it counts as a device. */
  readonly from: Pick<OpsFrom, 'role' | 'mayWrite'> | undefined;
}

export const OPS_FILTER = 'sync/+/ops';
const OPS_TOPIC = /^sync\/([^/]+)\/ops$/;
/** Receipts that wait for the card; beyond, devices are told to come again. */
const WAITING_MAX = 1000;

export class OpsDoor {
  readonly #options: OpsDoorOptions;
  #waiting = 0;

  constructor(options: OpsDoorOptions) {
    this.#options = options;
  }

  /**
   * Handles one message of `OPS_FILTER`. The PUBACK may leave when the LSN is durable; without one, at
   * once. Refused only where the hub has no room to remember the receipt.
   */
  handle(message: OpsMessage): { readonly lsn: Lsn } | { readonly refused: HubError } | undefined {
    const device = OPS_TOPIC.exec(message.topic)?.[1];
    if (device === undefined) return undefined;
    if (this.#waiting >= WAITING_MAX) {
      return { refused: new HubError('journal.busy', `${WAITING_MAX} receipts wait for the card`) };
    }
    const from = message.from ?? { role: 'device' };
    const outcome = this.#options.acceptOps(message.payload, { ...from, device });
    if (outcome.isClash) this.#options.tellClash(device);
    if (outcome.lsn === 0) {
      this.#send(device, outcome);
      return undefined;
    }
    void this.#sendWhenDurable(device, outcome);
    return { lsn: outcome.lsn };
  }

  async #sendWhenDurable(device: string, outcome: OpsOutcome): Promise<void> {
    this.#waiting += 1;
    try {
      await this.#options.whenDurable(outcome.lsn);
      const conflicts = await this.#options.conflictsOf(outcome.edits, outcome.lsn);
      this.#send(device, outcome, conflicts);
    } catch (error) {
      // Not durable: no receipt. The device keeps its ops and hands them in again.
      if (!(error instanceof HubError)) throw error;
      this.#options.log.warn('sync.receipt-withheld', {
        device,
        lsn: outcome.lsn,
        code: error.code,
      });
    } finally {
      this.#waiting -= 1;
    }
  }

  #send(device: string, outcome: OpsOutcome, conflicts: readonly ToldConflict[] = []): void {
    this.#options.publish(`sync/${device}/receipt`, encodeReceipt({ ...outcome, conflicts }));
  }
}
