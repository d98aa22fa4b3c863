/**
 * Users of mode `password`, in `users.json` (mode 0600) of the data directory. The commands `user add` and
 * `user remove` write it while the hub runs; the hub notices within seconds. A file that cannot be read
 * any more leaves the users as they were, because a typing slip must not lock a whole site out.
 */
import { bytesEqual, textOf, utf8 } from '../base/bytes.ts';
import type { Cancel, Timers } from '../base/clock.ts';
import { HubError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { AUTHORITY, type Role } from '../model/op.ts';
import type { Files } from '../platform/files/files.ts';
import { asOnlyWriter } from './only-writer.ts';
import { hashPassword, isPayable, makePassword, type PasswordHash } from './passwords.ts';

export interface User extends PasswordHash {
  readonly name: string;
  readonly role: Role;
}

interface UserMachine {
  readonly files: Pick<Files, 'read' | 'replace' | 'makeDir' | 'lockDir'>;
  readonly timers: Timers;
}

type Users = ReadonlyMap<string, User>;

export const ROLES = Object.keys(AUTHORITY) as readonly Role[];
const FILE_VERSION = 1;
/** Where no file is there; one that is there and empty has lost its users. */
const NO_USERS = utf8(JSON.stringify({ version: FILE_VERSION, users: [] }));
const USERS_MAX = 10_000;
const POLL_MS = 2000;

export function usersPath(dataDir: string): string {
  return `${dataDir}/users.json`;
}

/** A name is a level of topics and a part of ACL patterns: no separators, no wildcards. */
export function isUserName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name);
}

/** All users; empty where there is no file. Throws `HubError('data.unreadable')` where it is not one of ours. */
export function readUsers(files: Pick<Files, 'read'>, dataDir: string): Users {
  return parseUsers(files.read(usersPath(dataDir)) ?? NO_USERS, usersPath(dataDir));
}

/** Adds a user and returns the password, which is kept nowhere else. */
export async function addUser(
  machine: UserMachine & { readonly random: Random },
  dataDir: string,
  { name, role }: Pick<User, 'name' | 'role'>,
): Promise<string> {
  const password = makePassword(machine.random);
  const hash = await hashPassword(password, machine.random);
  await change(machine, dataDir, (users) => {
    if (users.has(name)) throw new HubError('user.exists', `user ${name} exists already`);
    users.set(name, { name, role, ...hash });
  });
  return password;
}

export function removeUser(machine: UserMachine, dataDir: string, name: string): Promise<void> {
  return change(machine, dataDir, (users) => {
    if (!users.delete(name)) throw new HubError('user.unknown', `there is no user ${name}`);
  });
}

function change(
  machine: UserMachine,
  dataDir: string,
  edit: (users: Map<string, User>) => void,
): Promise<void> {
  const { files } = machine;
  // The lock of the data directory itself is the hub's.
  return asOnlyWriter(`${dataDir}/users.lock`, machine, () => {
    const users = new Map(readUsers(files, dataDir));
    edit(users);
    const file = { version: FILE_VERSION, users: [...users.values()] };
    files.replace(usersPath(dataDir), utf8(`${JSON.stringify(file, undefined, 2)}\n`));
  });
}

function parseUsers(bytes: Uint8Array, path: string): Users {
  const fail = (reason: string): never => {
    throw new HubError('data.unreadable', `${path}: ${reason}`);
  };
  let file: unknown;
  try {
    file = JSON.parse(textOf(bytes) ?? '');
  } catch (error) {
    return fail(messageOf(error));
  }
  if (!isObject(file) || !Array.isArray(file['users'])) return fail('is not a file of users');
  if (file['version'] !== FILE_VERSION) {
    throw new HubError(
      'data.newer',
      `${path}: version ${String(file['version'])} is not known here`,
    );
  }
  const rows: readonly unknown[] = file['users'];
  if (rows.length > USERS_MAX) return fail(`more than ${USERS_MAX} users`);
  return new Map(
    rows.map((row, index) => {
      const user = isUser(row) ? row : fail(`user number ${index + 1} is malformed`);
      return [user.name, user];
    }),
  );
}

function isUser(row: unknown): row is User {
  if (!isObject(row) || !isObject(row['cost'])) return false;
  const { n, r, p } = row['cost'];
  if (typeof n !== 'number' || typeof r !== 'number' || typeof p !== 'number') return false;
  const { name, role, salt, hash } = row;
  return (
    typeof name === 'string' &&
    isUserName(name) &&
    ROLES.some((known) => known === role) &&
    isHex(salt) &&
    isHex(hash) &&
    isPayable({ n, r, p })
  );
}

function isHex(value: unknown): boolean {
  return typeof value === 'string' && /^([0-9a-f]{2}){16,64}$/.test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

interface UserDirectoryOptions {
  readonly files: Pick<Files, 'read'>;
  readonly dataDir: string;
  readonly timers: Timers;
  readonly log: Log;
}

/** The users as the running hub knows them: follows changes of the file. */
export class UserDirectory {
  readonly #options: UserDirectoryOptions;
  readonly #stopPolling: Cancel;
  #bytes = NO_USERS;
  #users: Users = new Map();
  #revision = 0;

  /** Throws `HubError` where the file is damaged: a hub must not start with fewer users than it has. */
  static open(options: UserDirectoryOptions): UserDirectory {
    return new UserDirectory(options);
  }

  private constructor(options: UserDirectoryOptions) {
    this.#options = options;
    this.#read();
    this.#stopPolling = options.timers.every(POLL_MS, () => this.#poll());
  }

  get(name: string): User | undefined {
    return this.#users.get(name);
  }

  get size(): number {
    return this.#users.size;
  }

  /** Grows with every change of the file; permissions that were cached before count no more. */
  get revision(): number {
    return this.#revision;
  }

  close(): void {
    this.#stopPolling();
  }

  #poll(): void {
    try {
      if (this.#read())
        this.#options.log.info('security.users-changed', { users: this.#users.size });
    } catch (error) {
      this.#options.log.error('security.users-unreadable', { reason: messageOf(error) });
    }
  }

  /** True where the file has changed; throws where it changed into nonsense, once for each content. */
  #read(): boolean {
    const path = usersPath(this.#options.dataDir);
    const bytes = this.#options.files.read(path) ?? NO_USERS;
    if (bytesEqual(bytes, this.#bytes)) return false;
    this.#bytes = bytes;
    this.#users = parseUsers(bytes, path);
    this.#revision += 1;
    return true;
  }
}
