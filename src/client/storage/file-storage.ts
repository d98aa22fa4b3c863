/**
 * A device's log and state in Node: the log in a file that is synced before anything is promised, the state beside it. One
 * process a folder; a folder must not be copied, because an origin is whose log it is.
 *
 *   outbox.log       entries: length (4 bytes, big-endian), CRC-32 of the entry (4), the entry
 *   outbox.damaged   what was damaged of it when it was written anew last
 *   state.cbor       what the hub gave, behind its length and CRC-32
 *   lock             process id of whoever has it open, and when that process began
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { concatBytes } from '../../base/bytes.ts';
import { HubError, systemCode } from '../../base/errors.ts';
import { frame, frameEntries, readFrames, unframe } from './frames.ts';
import type { DeviceStorage } from './storage.ts';

const datasync = promisify(fdatasync);
const ASIDE = 'outbox.damaged';
const ARRAY_OF_6 = 0x86;

export class FileStorage implements DeviceStorage {
  readonly entries: readonly Uint8Array[];
  readonly state: Uint8Array | undefined;
  readonly #dir: string;
  #file: number;
  #end: number;
  #damaged: readonly Uint8Array[];

  private constructor(dir: string) {
    this.#dir = dir;
    this.state = stateIn(readIfThere(this.#path('state.cbor')));
    const log = readFrames(readIfThere(this.#path('outbox.log')) ?? new Uint8Array(0));
    this.entries = log.entries;
    this.#damaged = log.damaged;
    this.#end = log.end;
    this.#file = openSync(this.#path('outbox.log'), 'a+', 0o600);
    ftruncateSync(this.#file, this.#end);
    fsyncSync(this.#file);
    syncDir(dir);
  }

  static open(dir: string): FileStorage {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const lock = join(dir, 'lock');
    takeLock(lock);
    try {
      return new FileStorage(dir);
    } catch (error) {
      rmSync(lock, { force: true });
      throw error;
    }
  }

  get damage(): string | undefined {
    if (this.#damaged.length === 0) return undefined;
    const count = this.#damaged.reduce((sum, { length }) => sum + length, 0);
    return `${count} bytes of the log cannot be read, they are kept in ${this.#path(ASIDE)}`;
  }

  async append(entries: readonly Uint8Array[]): Promise<void> {
    const bytes = frameEntries(entries);
    try {
      writeAll(this.#file, bytes);
    } catch (error) {
      // What came behind half an entry would be lost with it; where it cannot be cut off, that counts for good.
      ftruncateSync(this.#file, this.#end);
      throw fullOr(error);
    }
    // A sync that failed may have lost the pages: it is not tried again.
    await datasync(this.#file);
    this.#end += bytes.length;
  }

  async replace(entries: readonly Uint8Array[]): Promise<void> {
    const bytes = frameEntries(entries);
    if (this.#damaged.length > 0) {
      closeSync(await replaceFile(this.#path(ASIDE), concatBytes(this.#damaged)));
    }
    const file = await replaceFile(this.#path('outbox.log'), bytes);
    closeSync(this.#file);
    this.#file = file;
    this.#end = bytes.length;
    this.#damaged = [];
    syncDir(this.#dir);
  }

  async saveState(state: Uint8Array): Promise<void> {
    closeSync(await replaceFile(this.#path('state.cbor'), frame(state)));
    syncDir(this.#dir);
  }

  close(): Promise<void> {
    closeSync(this.#file);
    rmSync(this.#path('lock'), { force: true });
    return Promise.resolve();
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }
}

/** Writes beside, syncs, and takes the place of the old one, which is whole until then; the new file is open at its end. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<number> {
  const beside = `${path}.new`;
  rmSync(beside, { force: true });
  const file = openSync(beside, 'a+', 0o600);
  try {
    writeAll(file, bytes);
    await datasync(file);
    renameSync(beside, path);
    return file;
  } catch (error) {
    closeSync(file);
    rmSync(beside, { force: true });
    throw fullOr(error);
  }
}

/** A disk that is full takes more when there is room again. */
function fullOr(error: unknown): unknown {
  if (systemCode(error) !== 'ENOSPC') return error;
  return new HubError('client.storage-full', 'the disk is full', error);
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

function readIfThere(path: string): Uint8Array | undefined {
  return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
}

/** Undefined where it is damaged: it is pulled again. Earlier versions kept it as it is, which begins as no length does. */
function stateIn(file: Uint8Array | undefined): Uint8Array | undefined {
  return file?.[0] === ARRAY_OF_6 ? file : file && unframe(file);
}

function syncDir(dir: string): void {
  const handle = openSync(dir, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

/**
 * A lock whose holder is dead counts for nothing, and after a power cut another process may bear its number: so it says when
 * the holder began, and in which boot, where the system (Linux) tells that.
 */
function takeLock(path: string): void {
  const [holder = '', ...birth] = existsSync(path)
    ? readFileSync(path, 'utf8').trim().split(' ')
    : [];
  const pid = Number(holder);
  if (pid > 0 && isAlive(pid, birth.join(' '))) {
    throw new HubError('client.storage', `${path}: process ${pid} has this device open`);
  }
  rmSync(path, { force: true });
  writeFileSync(path, `${process.pid} ${birthOf(process.pid)}`, { flag: 'wx', mode: 0o600 });
}

function isAlive(pid: number, birth: string): boolean {
  if (birth !== '') return birth === birthOf(pid);
  // Said by nobody: our own number was another's before us.
  if (pid === process.pid && birthOf(pid) !== '') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/**
 * When a process began, in ticks since a boot that is named; empty where it does not run, or the system does not tell. One
 * that ended and whose parent has not asked yet does not run (Z in field 3).
 */
function birthOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // From field 3 on; the command in field 2 may itself contain blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return '';
    const ticks = fields[19] ?? '';
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${ticks} ${boot}`;
  } catch {
    return '';
  }
}
