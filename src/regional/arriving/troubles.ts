/**
 * What keeps a node from taking what hubs send, and passes: a full disk, a database that is away, a broker that does not answer. What found no
 * place is not confirmed, and comes again. The log tells of it once a minute, who asks the node how it is hears of it while it lasts.
 */
import type { Clock } from '../../base/clock.ts';
import { type FaultCode, HubError, messageOf, systemCode } from '../../base/errors.ts';
import { type Log, RareLog } from '../../base/log.ts';

export interface Trouble {
  readonly code: FaultCode;
  readonly message: string;
}

/** Where it was met: there it is over when that goes well again. */
type Work = 'storing' | 'looking';

/** Faults of a database: it comes back, or a person mends it while we wait. */
const PASSING = /^database\./;
/** Faults of a disk that is full or away. */
const OF_DISK: ReadonlySet<FaultCode> = new Set(['store.failed', 'files.refused']);
/** While it lasts each chunk of each hub meets it. */
const QUIET_MS = 60_000;

export class Troubles {
  readonly #rareLog: RareLog;
  readonly #byWork = new Map<Work, Trouble>();

  constructor(log: Log, clock: Clock) {
    this.#rareLog = new RareLog(log, clock, QUIET_MS);
  }

  /** False for an error that does not pass. */
  met(error: unknown, work: Work): boolean {
    const fault = error instanceof HubError ? error : undefined;
    const isOfDatabase = fault !== undefined && PASSING.test(fault.code);
    const isOfDisk =
      fault === undefined ? systemCode(error) !== undefined : OF_DISK.has(fault.code);
    if (!isOfDatabase && !isOfDisk) return false;
    const reason = messageOf(error);
    const told = fault === undefined ? {} : { code: fault.code, hint: fault.hint };
    this.#rareLog.error(isOfDatabase ? 'regional.database' : 'regional.disk', { reason, ...told });
    this.#byWork.set(work, { code: fault?.code ?? 'files.refused', message: reason });
    return true;
  }

  over(work: Work): void {
    this.#byWork.delete(work);
  }

  /** One of each code. */
  list(): Trouble[] {
    return [...new Map([...this.#byWork.values()].map((it) => [it.code, it])).values()];
  }
}
