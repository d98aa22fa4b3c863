/**
 * One process owns a data directory. The lock is an abstract Unix socket named after the folder's device and
 * inode: binding it is atomic, two starters cannot both succeed, and the kernel lets go of it in the moment the
 * owner dies, however it dies. So there is no stale lock to clean up, and no race in cleaning it up.
 *
 * Abstract sockets are per network namespace. For a second hub in another namespace on the same folder (a
 * container), a `lock` file inside names the owner with its boot and start time; the owner that it names blocks
 * as long as that very process lives. Systems other than Linux have only this file, and know a process by its
 * number alone.
 *
 * A full disk takes no such file. That is when a hub has to come up and say so: where the socket holds, it holds alone.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { HubError, systemCode } from '../../base/errors.ts';
import { isoTime } from '../../base/iso-time.ts';
import type { DirectoryLock } from './files.ts';
import { bootLine, statFieldsAt } from './kernel-files.ts';
import { remove } from './remove.ts';

interface Owner {
  readonly pid: number;
  /** When the process began, in the kernel's ticks since boot: tells a process from a later one with its number. */
  readonly startTicks: string;
  readonly boot: string;
  readonly host: string;
  readonly since: string;
  /** Device and inode of the folder: a copy of a folder whose hub runs is nobody's. */
  readonly folder: string;
}

const LOCK_FILE = 'lock';

/** See `Files.lockDir`. */
export function lockDirectory(dir: string): DirectoryLock {
  const path = join(dir, LOCK_FILE);
  const socket = process.platform === 'linux' ? bindSocket(dir) : undefined;
  if (socket === 'taken') throw locked(dir, readOwner(path));
  const owner = readOwner(path);
  if (owner !== undefined && holds(owner, dir) && isAlive(owner)) {
    socket?.close();
    throw locked(dir, owner);
  }
  const isWritten = writeOwner(path, dir, socket);
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      if (isWritten) remove(path);
      socket?.close();
    },
  };
}

/** False where the disk is full; throws where nothing else would hold the folder. */
function writeOwner(path: string, dir: string, socket: Server | undefined): boolean {
  try {
    writeFileSync(path, `${JSON.stringify(ownProcess(dir))}\n`, { mode: 0o600 });
    return true;
  } catch (error) {
    if (socket !== undefined && systemCode(error) === 'ENOSPC') return false;
    socket?.close();
    throw error;
  }
}

/** The bound socket, or `taken`. Nobody is meant to connect; who does is dropped. */
function bindSocket(dir: string): Server | 'taken' {
  const server = createServer((connection) => connection.destroy());
  server.on('error', () => undefined); // The outcome is in `listening`, already before this event.
  server.listen(`\0heliograph-${folderId(dir)}`);
  server.unref();
  return server.listening ? server : 'taken';
}

function folderId(dir: string): string {
  const { dev, ino } = statSync(dir, { bigint: true });
  return `${dev.toString(16)}-${ino.toString(16)}`;
}

function ownProcess(dir: string): Owner {
  return {
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? '',
    boot: bootId(),
    host: hostname(),
    since: isoTime(Date.now()),
    folder: folderId(dir),
  };
}

function readOwner(path: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner> | null;
    return typeof owner?.pid === 'number' ? (owner as Owner) : undefined;
  } catch {
    return undefined; // None, or cut by a power failure: it never blocks.
  }
}

/** False where the file came along with a copy. One that does not say of which folder it is counts. */
function holds(owner: Owner, dir: string): boolean {
  return (owner as Partial<Owner>).folder === undefined || owner.folder === folderId(dir);
}

/** True where that very process still runs. */
function isAlive(owner: Owner): boolean {
  if (process.platform !== 'linux') return owner.pid !== process.pid && isRunning(owner.pid);
  return owner.boot === bootId() && startTicksOf(owner.pid) === owner.startTicks;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Field 22 of `/proc/<pid>/stat`; undefined where none runs. One that ended and whose parent has not asked yet holds nothing (Z in field 3). */
function startTicksOf(pid: number): string | undefined {
  const fields = statFieldsAt(`/proc/${pid}/stat`);
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

function bootId(): string {
  return bootLine()?.trim() ?? '';
}

function locked(dir: string, owner: Owner | undefined): HubError {
  const holder =
    owner === undefined
      ? 'another process'
      : `process ${owner.pid} on ${owner.host}, since ${owner.since}`;
  return new HubError('data.locked', `${dir} is held by ${holder}`);
}
