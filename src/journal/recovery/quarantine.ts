/**
 * Damaged parts of acknowledged data, kept aside. The folder's names say which LSNs are lost, so the list survives
 * restarts and the release of the segments around; the bytes are for whoever wants to save something by hand. Only a
 * person removes them, but for those of a range that is healed: they go with its segments.
 *
 * Bounded: beyond the limits a name is kept without its bytes, and beyond the number of names only the log tells.
 */
import { messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Files } from '../../platform/files/files.ts';
import type { Lsn } from '../format.ts';
import { parseQuarantineName, QUARANTINE_NAME, quarantineName } from '../segments/names.ts';

export interface QuarantinedRange {
  /** 0 where nobody knows where it began. */
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  /** Path of the kept bytes, which may be none. */
  readonly file: string;
  /** All its ops are in the journal again, or were never lost. */
  readonly isHealed: boolean;
}

const FILES_MAX = 256;
const BYTES_MAX = 64 << 20;

export class Quarantine {
  readonly #files: Files;
  readonly #journalDir: string;
  readonly #dir: string;
  readonly #log: Log;
  #ranges: QuarantinedRange[] = [];
  #bytes = 0;

  constructor(files: Files, journalDir: string, log: Log) {
    this.#files = files;
    this.#journalDir = journalDir;
    this.#dir = `${journalDir}/${QUARANTINE_NAME}`;
    this.#log = log;
    for (const name of files.list(this.#dir)) {
      const parsed = parseQuarantineName(name);
      if (parsed === undefined || parsed.toLsn === 0) continue;
      const { fromLsn, toLsn, isHealed } = parsed;
      this.#ranges.push({ fromLsn, toLsn, file: `${this.#dir}/${name}`, isHealed });
    }
    this.#ranges.sort((a, b) => a.fromLsn - b.fromLsn); // Names are not in the order of numbers.
  }

  get ranges(): readonly QuarantinedRange[] {
    return this.#ranges;
  }

  /** Whether a whole segment was set aside, or may have been: the folder lies on a card that fails. */
  get holdsSegments(): boolean {
    try {
      return this.#files.list(this.#dir).some((name) => name.endsWith('.segment'));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      this.#log.warn('journal.quarantine-unread', { reason: messageOf(error) });
      return true;
    }
  }

  /** Keeps the bytes that `read` gives; undefined where this range was known before. */
  keep(
    range: { segment: number; fromLsn: Lsn; toLsn: Lsn },
    read: () => Uint8Array,
  ): QuarantinedRange | undefined {
    return this.#add(range, 'bin', (path) => {
      const bytes = this.#bytes < BYTES_MAX ? read() : new Uint8Array(0);
      this.#bytes += bytes.length;
      this.#files.replace(path, bytes);
    });
  }

  /** Moves a whole segment file aside; its range is 0 to 0 where no LSN is lost with it. */
  move(
    range: { segment: number; fromLsn: Lsn; toLsn: Lsn },
    from: string,
  ): QuarantinedRange | undefined {
    return this.#add(range, 'segment', (path) => this.#files.rename(from, path));
  }

  /** Says in the name that nothing of the range is missing any more. */
  heal(range: QuarantinedRange): void {
    const healed = { ...range, isHealed: true, file: range.file.replace(/[a-z]+$/, 'healed') };
    this.#ranges = this.#ranges.map((each) => (each === range ? healed : each));
    this.#changing(healed.file, () => {
      if (this.#files.exists(range.file)) this.#files.rename(range.file, healed.file);
    });
    const { fromLsn, toLsn } = range;
    this.#log.info('journal.healed', { fromLsn, toLsn });
  }

  /** Lets go of healed ranges below the first LSN that the journal has. */
  released(firstLsn: Lsn): void {
    const gone = this.#ranges.filter(({ isHealed, toLsn }) => isHealed && toLsn < firstLsn);
    if (gone.length === 0) return;
    this.#ranges = this.#ranges.filter((range) => !gone.includes(range));
    for (const { file } of gone) this.#changing(file, () => this.#files.remove(file));
  }

  #changing(file: string, change: () => void): void {
    try {
      change();
      this.#files.syncDir(this.#dir);
    } catch (error) {
      // The list of this run is right; the next one looks at the range again.
      this.#log.error('journal.quarantine-failed', { file, reason: messageOf(error) });
    }
  }

  #add(
    range: { segment: number; fromLsn: Lsn; toLsn: Lsn },
    what: 'bin' | 'segment',
    put: (path: string) => void,
  ): QuarantinedRange | undefined {
    const { segment, fromLsn, toLsn } = range;
    const isKnown = this.#ranges.some((each) => each.fromLsn <= fromLsn && toLsn <= each.toLsn);
    if (what === 'bin' && isKnown) return undefined;
    const path = `${this.#dir}/${quarantineName(segment, fromLsn, toLsn, what)}`;
    const known = { fromLsn, toLsn, file: path, isHealed: false };
    if (toLsn > 0) this.#ranges.push(known);
    this.#log.error('journal.damaged', { segment, fromLsn, toLsn, file: path });
    if (this.#ranges.length > FILES_MAX) return known;
    try {
      this.#files.makeDir(this.#dir);
      put(path);
      this.#files.syncDir(this.#dir);
      if (what === 'segment') this.#files.syncDir(this.#journalDir);
    } catch (error) {
      // The damaged bytes stay where they are, and the range is known for this run.
      this.#log.error('journal.quarantine-failed', { file: path, reason: messageOf(error) });
    }
    return known;
  }
}
