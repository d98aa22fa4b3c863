/**
 * What the region had receipted and has lost (it was restored from an older backup, or began anew), as far as the journal has let
 * go of it: nobody can send that again. People are told by the file `forgotten` in the uplink's folder, until one of them removes it;
 * a line a class,
 *
 *   <class> <LSN through which the journal had let go> <since, ms> <ops of the class until there, or ->
 *
 * The line stands before the class begins anew, and is counted afterwards: a hub that dies in between counts at its next start. Of
 * those ops the region has what its backup had; which these are, its own log says.
 */
import { linesOf, utf8 } from '../../base/bytes.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import { isoTime } from '../../base/iso-time.ts';
import type { Log } from '../../base/log.ts';
import { CLASS_NAMES, classNamed, LOG, type OpClass } from '../../model/class.ts';
import { OpEntryReader } from '../../model/entry.ts';
import type { Files } from '../../platform/files/files.ts';
import type { HistoryLog, JournalReader, Lsn } from '../ports.ts';
import { Breather, type BreatherOptions } from './breather.ts';
import { classOfEntry } from './peek-entry.ts';

export interface ForgottenOptions extends BreatherOptions {
  readonly journal: JournalReader;
  readonly files: Files;
  /** Folder of the file. */
  readonly dir: string;
  /** Undefined: nobody knows how many ops there were, and nothing is told. */
  readonly history?: HistoryLog | undefined;
  readonly log: Log;
  /** A sentence for the power-aware log. */
  readonly tell: (why: string) => void;
  readonly onFatal: (error: unknown) => void;
}

interface Forgotten {
  readonly throughLsn: Lsn;
  readonly sinceMs: number;
  /** Undefined until they are counted. */
  readonly ops: number | undefined;
}

const LINE = /^([a-z]+) ([0-9]{1,15}) ([0-9]{1,15}) ([0-9]{1,15}|-)$/;
/** Entries looked at in one step. */
const STEP_ENTRIES = 256;

export class ForgottenBook {
  readonly #options: ForgottenOptions;
  readonly #path: string;
  readonly #byClass: Map<OpClass, Forgotten>;
  /** The file says what is known here; without it, somebody has seen it. */
  #isWritten = true;
  #counting: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: ForgottenOptions) {
    this.#options = options;
    this.#path = forgottenPath(options.dir);
    this.#byClass = forgottenIn(options.files.read(this.#path));
    for (const [opClass, { ops }] of this.#byClass) if (ops === undefined) this.#count(opClass);
  }

  /** The class is about to begin anew. Throws what the disk throws. */
  startsOver(opClass: OpClass): void {
    const { journal, clock, history, tell } = this.#options;
    if (opClass === LOG) return;
    const { firstLsn } = journal;
    const name = CLASS_NAMES[opClass];
    tell(`the region has lost what it had receipted of class ${name}: all that is here goes again`);
    if (history === undefined || firstLsn === 1) return;
    const found = { throughLsn: firstLsn - 1, sinceMs: clock.wallMs(), ops: undefined };
    this.#byClass.set(opClass, found);
    this.#write();
    this.#count(opClass);
  }

  /** As long as nobody has removed the file. */
  get fault(): HubError | undefined {
    if (this.#byClass.size === 0) return undefined;
    if (this.#isWritten && !this.#options.files.exists(this.#path)) {
      this.#byClass.clear();
      return undefined;
    }
    return faultOf(this.#byClass);
  }

  close(): void {
    this.#isClosed = true;
  }

  /** One class after the other. */
  #count(opClass: OpClass): void {
    this.#counting = this.#counting.then(() => this.#countNow(opClass));
  }

  async #countNow(opClass: OpClass): Promise<void> {
    const found = this.#byClass.get(opClass);
    if (found === undefined) return;
    try {
      const ops = await this.#opsThrough(opClass, found.throughLsn);
      if (ops === undefined || this.#byClass.get(opClass) !== found) return;
      this.#counted(opClass, { ...found, ops });
    } catch (error) {
      if (systemCode(error) === undefined) return this.#options.onFatal(error);
      this.#options.log.warn('uplink.forgotten.unwritten', { reason: messageOf(error) });
    }
  }

  #counted(opClass: OpClass, found: Forgotten & { readonly ops: number }): void {
    const { log, tell } = this.#options;
    const { throughLsn, ops } = found;
    if (ops === 0) this.#byClass.delete(opClass);
    else {
      this.#byClass.set(opClass, found);
      log.error('uplink.forgotten', { class: CLASS_NAMES[opClass], throughOp: ops, throughLsn });
      tell(
        `the region has lost ops that it had receipted, and ${throughOp(opClass, ops)} they are not here any more: it has what its backup had`,
      );
    }
    this.#write();
  }

  /** How many ops of the class the journal has let go of through `throughLsn`; undefined where the hub stops meanwhile. */
  async #opsThrough(opClass: OpClass, throughLsn: Lsn): Promise<number | undefined> {
    const { journal, history } = this.#options;
    if (history === undefined) return undefined;
    const { size } = history.head(opClass);
    const untilLsn = journal.durableLsn;
    const breather = new Breather(this.#options);
    breather.begin();
    const cursor = journal.cursor(throughLsn + 1);
    for (let entries = 1; ; entries++) {
      const item = cursor.next();
      if (item === undefined || item.lsn > untilLsn) return size;
      if (classOfEntry(item.entry) === opClass) {
        const op = new OpEntryReader().read(item.entry)?.bytes;
        const head = op && (await history.headBehind(opClass, op, item.lsn));
        return head === undefined ? size : head.size - 1;
      }
      const rest = entries % STEP_ENTRIES === 0 ? breather.step() : undefined;
      if (rest !== undefined) await rest;
      if (this.#isClosed) return undefined;
    }
  }

  #write(): void {
    const { files, dir } = this.#options;
    this.#isWritten = false;
    if (this.#byClass.size > 0) {
      const lines = [...this.#byClass].map(([opClass, { throughLsn, sinceMs, ops }]) =>
        [CLASS_NAMES[opClass], throughLsn, Math.max(0, Math.floor(sinceMs)), ops ?? '-'].join(' '),
      );
      files.replace(this.#path, utf8(`${lines.join('\n')}\n`));
    } else {
      files.remove(this.#path);
      files.syncDir(dir);
    }
    this.#isWritten = true;
  }
}

function throughOp(opClass: OpClass, ops: number): string {
  return `class ${CLASS_NAMES[opClass]} through op ${ops}`;
}

export function forgottenPath(dir: string): string {
  return `${dir}/forgotten`;
}

/** What the file says that a hub which does not run has left. */
export function forgottenFault(bytes: Uint8Array | undefined): HubError | undefined {
  return faultOf(forgottenIn(bytes));
}

/** Of what is counted. */
function faultOf(byClass: ReadonlyMap<OpClass, Forgotten>): HubError | undefined {
  const parts = [...byClass].flatMap(([opClass, { throughLsn, sinceMs, ops }]) =>
    ops === undefined
      ? []
      : [`${throughOp(opClass, ops)} (LSN ${throughLsn}, found ${isoTime(sinceMs)})`],
  );
  if (parts.length === 0) return undefined;
  const what = 'the region has lost ops that it had receipted, and these are not here any more';
  return new HubError('uplink.forgotten', `${what}: ${parts.join(', ')}`);
}

/** Lines that are none are passed over. */
function forgottenIn(bytes: Uint8Array | undefined): Map<OpClass, Forgotten> {
  const found = new Map<OpClass, Forgotten>();
  for (const line of linesOf(bytes)) {
    const [, name = '', throughLsn, sinceMs, ops] = LINE.exec(line) ?? [];
    const opClass = classNamed(name);
    if (opClass === undefined || opClass === LOG) continue;
    found.set(opClass, {
      throughLsn: Number(throughLsn),
      sinceMs: Number(sinceMs),
      ops: ops === '-' ? undefined : Number(ops),
    });
  }
  return found;
}
