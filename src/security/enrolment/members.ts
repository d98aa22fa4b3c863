/**
 * The members as the running hub knows them: follows the roster file, which commands and peers replace. A file that
 * cannot be read any more leaves the members as they were, because damage must not lock a whole site out; nor does
 * an older roster count, so that nobody who was taken out comes back with a copy.
 */
import { X509Certificate } from 'node:crypto';

import { bytesEqual, EMPTY_BYTES } from '../../base/bytes.ts';
import type { Cancel, Timers } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Verify } from '../../codec/cose.ts';
import type { User } from '../users.ts';
import type { Member, Roster } from './roster.ts';
import { readRosterFile, type SiteFiles, type SitePaths } from './site-folder.ts';

interface MembersOptions {
  readonly files: Pick<SiteFiles, 'read'>;
  readonly paths: SitePaths;
  readonly timers: Timers;
  readonly verify: Verify;
  readonly log: Log;
}

const POLL_MS = 1000;

export class Members {
  readonly #options: MembersOptions;
  readonly #stopPolling: Cancel;
  #bytes: Uint8Array = EMPTY_BYTES;
  #roster: Roster | undefined;
  #ca: X509Certificate | undefined;
  #revision = 0;
  #listeners: (() => void)[] = [];

  /** Throws `HubError` where the roster is damaged: a hub must not start without knowing who belongs to it. */
  static open(options: MembersOptions): Members {
    return new Members(options);
  }

  private constructor(options: MembersOptions) {
    this.#options = options;
    this.#read();
    this.#stopPolling = options.timers.every(POLL_MS, () => this.refresh());
  }

  get(name: string): Member | undefined {
    return this.#roster?.memberByName.get(name);
  }

  /** The member as a user of mode `password`; undefined where it has no password. */
  user(name: string): User | undefined {
    const member = this.get(name);
    return member?.password && { name, role: member.role, ...member.password };
  }

  get size(): number {
    return this.#roster?.memberByName.size ?? 0;
  }

  /** 0 where the hub belongs to no site yet. */
  get epoch(): number {
    return this.#roster?.epoch ?? 0;
  }

  /** The site's certificate. */
  get ca(): X509Certificate | undefined {
    return this.#ca;
  }

  /** The signed roster, for peers. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Grows with every change; answers that were kept before count no more. */
  get revision(): number {
    return this.#revision;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Looks at the file now. */
  refresh(): void {
    const { log } = this.#options;
    try {
      if (this.#read()) {
        log.info('security.roster-changed', { epoch: this.epoch, members: this.size });
        for (const listener of this.#listeners) listener();
      }
    } catch (error) {
      log.error('security.roster-unreadable', { reason: messageOf(error) });
    }
  }

  close(): void {
    this.#stopPolling();
  }

  /** True where there is a newer roster; throws where the file changed into nonsense, once for each content. */
  #read(): boolean {
    const { files, paths, verify, log } = this.#options;
    const bytes = files.read(paths.roster) ?? EMPTY_BYTES;
    if (bytesEqual(bytes, this.#bytes)) return false;
    this.#bytes = bytes;
    const roster = readRosterFile(files, paths, verify);
    if (roster === undefined) return false;
    if (roster.epoch < this.epoch) {
      log.warn('security.roster-older', { epoch: roster.epoch, known: this.epoch });
      return false;
    }
    this.#roster = roster;
    this.#ca = new X509Certificate(roster.ca);
    this.#revision += 1;
    return true;
  }
}
