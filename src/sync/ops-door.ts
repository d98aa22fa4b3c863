/**
 * `sync/<device>/ops` → `sync/<device>/receipt`: a device hands in ops it has made and learns, when they are
 * durable, how far each of its lanes has come and which ops were not taken, with reasons (WIRE.cddl
 * `ops-message`, `receipt-message`). Handing in the same ops again is harmless.
 *
 * Whatever a device sends, it gets a receipt that says what became of it; nothing it sends ends the hub.
 * Who may publish to whose topic is the gatekeeper's business.
 */
import { HubError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type CborValue, cborMap } from '../codec/value.ts';
import { encodeCbor } from '../codec/writer.ts';
import type { OpClass } from '../model/class.ts';
import type { Role } from '../model/op.ts';
import { bytesOfOrigin, type Origin } from '../model/origin.ts';

export type Lsn = number;

/** What became of the ops of one message; ingest/door.ts produces it. */
export interface OpsOutcome {
  readonly lsn: Lsn;
  readonly accepted: readonly {
    readonly origin: Origin;
    readonly class: OpClass;
    readonly seq: number;
  }[];
  readonly rejected: readonly {
    readonly origin: Origin;
    readonly class: OpClass;
    readonly seq: number;
    readonly reason: string;
  }[];
  readonly refused?: string;
}

export interface OpsDoorOptions {
  readonly acceptOps: (message: Uint8Array, from: { role: Role; device: string }) => OpsOutcome;
  /** Resolves when the LSN is durable. */
  readonly whenDurable: (lsn: Lsn) => Promise<void>;
  /** Sends to the devices that have subscribed, QoS 1. */
  readonly publish: (topic: string, payload: Uint8Array) => void;
  readonly log: Log;
}

export interface OpsMessage {
  readonly topic: string;
  /** Valid during the call only. */
  readonly payload: Uint8Array;
  /** Undefined where the publisher is not known any more; it counts as a device. */
  readonly from: { readonly role: Role } | undefined;
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
    const role = message.from?.role ?? 'device';
    const outcome = this.#options.acceptOps(message.payload, { role, device });
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
      this.#send(device, outcome);
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

  #send(device: string, outcome: OpsOutcome): void {
    this.#options.publish(`sync/${device}/receipt`, encodeReceipt(outcome));
  }
}

/** The receipt's bytes, `receipt-message` of WIRE.cddl. */
export function encodeReceipt({ accepted, rejected, refused }: OpsOutcome): Uint8Array {
  const lanes: CborValue = accepted.map((lane) => [
    bytesOfOrigin(lane.origin),
    lane.class,
    lane.seq,
  ]);
  const ops: CborValue = rejected.map((op) => [
    bytesOfOrigin(op.origin),
    op.class,
    op.seq,
    op.reason,
  ]);
  return encodeCbor(cborMap({ accepted: lanes, rejected: ops, refused }));
}
