/**
 * The files of the audit log: JSON lines in files of one size, the oldest of which goes when there are too many.
 *
 *   <dir>/audit-00000001.jsonl   oldest … newest
 *
 * Lines are written in groups by one write and not synced: what a crash may tear is the last group, and of that the parts
 * that follow from the journal are written again.
 */
import { utf8 } from '../base/bytes.ts';
import type { Files, OpenFile } from '../platform/files/files.ts';
import { type AuditLine, auditLinesOf, lastLineOf } from './audit-line.ts';

export const FILE_BYTES_MAX = 1 << 20;
const LINE_FEED = 0x0a;
const NAME = /^audit-(\d{8})\.jsonl$/;

export class AuditFiles {
  readonly #files: Files;
  readonly #dir: string;
  readonly #filesMax: number;
  #numbers: number[];
  #file: OpenFile;
  #size: number;

  private constructor(files: Files, dir: string, filesMax: number) {
    this.#files = files;
    this.#dir = dir;
    this.#filesMax = filesMax;
    this.#numbers = numbersIn(files, dir);
    const newest = this.#numbers.at(-1);
    if (newest === undefined) this.#numbers = [1];
    const path = pathOf(dir, newest ?? 1);
    this.#file = files.open(path, newest === undefined ? 'create' : 'update');
    const content = files.read(path) ?? new Uint8Array();
    this.#size = content.lastIndexOf(LINE_FEED) + 1;
    if (this.#size < content.length) this.#file.truncate(this.#size);
  }

  static open(files: Files, dir: string, filesMax: number): AuditFiles {
    files.makeDir(dir);
    return new AuditFiles(files, dir, filesMax);
  }

  append(lines: readonly AuditLine[]): void {
    if (lines.length === 0) return;
    const bytes = utf8(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    if (this.#size > 0 && this.#size + bytes.length > FILE_BYTES_MAX) this.#turn();
    this.#file.writeAt(bytes, this.#size);
    this.#size += bytes.length;
  }

  close(): void {
    this.#file.close();
  }

  #turn(): void {
    this.#file.close();
    const next = (this.#numbers.at(-1) as number) + 1;
    this.#file = this.#files.open(pathOf(this.#dir, next), 'create');
    this.#size = 0;
    this.#numbers.push(next);
    while (this.#numbers.length > this.#filesMax) {
      this.#files.remove(pathOf(this.#dir, this.#numbers.shift() as number));
    }
  }
}

/** All lines that are kept, oldest first; none where there is no log. A file that is removed meanwhile is passed over. */
export function readAudit(
  files: Pick<Files, 'list' | 'read' | 'exists'>,
  dir: string,
): AuditLine[] {
  if (!files.exists(dir)) return [];
  return numbersIn(files, dir).flatMap((number) => auditLinesOf(files.read(pathOf(dir, number))));
}

/** The newest line for which `isWanted`; older files than its own are not read. */
export function newestLine(
  files: Pick<Files, 'list' | 'read' | 'exists'>,
  dir: string,
  isWanted: (line: AuditLine) => boolean,
): AuditLine | undefined {
  if (!files.exists(dir)) return undefined;
  for (const number of numbersIn(files, dir).toReversed()) {
    const found = lastLineOf(files.read(pathOf(dir, number)), isWanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

function numbersIn(files: Pick<Files, 'list'>, dir: string): number[] {
  const found = files.list(dir).flatMap((name) => NAME.exec(name)?.slice(1) ?? []);
  return found.map(Number).toSorted((a, b) => a - b);
}

function pathOf(dir: string, number: number): string {
  return `${dir}/audit-${String(number).padStart(8, '0')}.jsonl`;
}
