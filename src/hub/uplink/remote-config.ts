/**
 * Settings from the region: the records `config/all` and `config/<hub>`, whose fields are keys of the configuration, the
 * hub's own above those for all. What they ask for now is compared with what was asked for last; where that differs it is judged
 * (config/remote.ts), written beside the journal, and the hub starts anew with it, within its process, in about a second. What
 * was made of it goes up as an event `config-report/<hub>`. A field that is set to null, or a record that is removed, takes its
 * setting back.
 */
import { utf8 } from '../../base/bytes.ts';
import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { decodeCbor } from '../../codec/reader.ts';
import type { CborValue } from '../../codec/value.ts';
import type { ConfigInput } from '../../config/config.ts';
import {
  judgeRemote,
  readRemoteConfig,
  REMOTE_FILE,
  type RemoteConfig,
  type RemoteValues,
  writeRemoteConfig,
} from '../../config/remote.ts';
import type { Door } from '../../ingest/door/door.ts';
import type { Journal } from '../../journal/journal.ts';
import { RECORD } from '../../model/class.ts';
import { AUTHORITY } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import type { Files } from '../../platform/files/files.ts';
import type { HubStore } from '../storage/store.ts';

export interface RemoteSettingsOptions {
  /** Where the configuration comes from beside the region; undefined: it cannot be read anew, and nothing is taken. */
  readonly input: ConfigInput | undefined;
  readonly files: Pick<Files, 'read' | 'replace'>;
  readonly dataDir: string;
  readonly hub: Origin;
  readonly store: Pick<HubStore, 'state'>;
  readonly door: Pick<Door, 'journalOwn'>;
  readonly journal: Pick<Journal, 'whenDurable'>;
  readonly timers: Timers;
  readonly log: Log;
  /** Ends the hub; it starts again with what the file says. */
  readonly restart: (why: HubError) => void;
}

/** A hub that has served so long has come up. */
const PROVEN_MS = 30_000;

/** Key under which a hub says what it made of its settings. */
export function configReportKey(hub: string): string {
  return `config-report/${hub}`;
}

export class RemoteSettings {
  readonly #options: RemoteSettingsOptions;
  #cancelProof: Cancel;
  #work: Promise<void> = Promise.resolve();

  constructor(options: RemoteSettingsOptions) {
    this.#options = options;
    this.#cancelProof = this.#proveLater();
  }

  /** Keys of the records that ask for something. */
  get keys(): readonly string[] {
    return ['config/all', `config/${this.#options.hub}`];
  }

  /** Looks whether the records ask for something else than before. */
  look(): Promise<void> {
    this.#work = this.#work.then(() => this.#look());
    return this.#work;
  }

  close(): void {
    this.#cancelProof();
  }

  get #path(): string {
    return `${this.#options.dataDir}/${REMOTE_FILE}`;
  }

  async #look(): Promise<void> {
    try {
      await this.#apply();
    } catch (error) {
      this.#unkept(error); // Looked at again at the next change or start.
    }
  }

  #proveLater(): Cancel {
    return this.#options.timers.after(PROVEN_MS, () => {
      try {
        this.#proven();
      } catch (error) {
        this.#unkept(error);
        this.#cancelProof = this.#proveLater();
      }
    });
  }

  /** A full disk, or a store that is being rebuilt, ends no hub. */
  #unkept(error: unknown): void {
    if (!(error instanceof HubError) && systemCode(error) === undefined) throw error;
    this.#options.log.error('config.remote-unkept', { reason: messageOf(error) });
  }

  async #apply(): Promise<void> {
    const { input, files, log, restart } = this.#options;
    if (input === undefined) return;
    const known = readRemoteConfig(files.read(this.#path));
    const wished = this.#wishes();
    if (isSame(wished, known?.wished ?? {})) return;
    const judged = judgeRemote(input, wished);
    const isNew = !isSame(judged.values, known?.values ?? {});
    const state = isNew ? 'new' : (known?.state ?? 'good');
    const remote: RemoteConfig = { state, tries: 0, wished, ...judged };
    for (const { key, reason } of judged.refused)
      log.warn('config.remote-refused', { key, reason });
    log.info('config.remote', { keys: Object.keys(judged.values), isNew });
    await this.#report(remote);
    files.replace(this.#path, writeRemoteConfig(remote));
    if (isNew) restart(new HubError('config.changed', 'the region has changed settings'));
  }

  #wishes(): RemoteValues {
    const wished = new Map<string, unknown>();
    for (const key of this.keys) {
      for (const [name, { value, order }] of this.#options.store.state.records.get(key).fields) {
        // Only what people with some authority wrote counts.
        if (order.authority < AUTHORITY.supervisor) continue;
        wished.set(name, jsonOf(decodeCbor(value)));
      }
    }
    const isAsked = ([, value]: [string, unknown]): boolean => value !== null;
    const sorted = [...wished].filter(isAsked).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted);
  }

  /** The hub has come up with the settings, or without those that it did not come up with. */
  #proven(): void {
    const { files, log } = this.#options;
    const remote = readRemoteConfig(files.read(this.#path));
    if (remote === undefined || remote.state === 'good') return;
    if (remote.state === 'new') {
      files.replace(this.#path, writeRemoteConfig({ ...remote, state: 'good', tries: 0 }));
      log.info('config.remote-proven', { keys: Object.keys(remote.values) });
      void this.#report({ ...remote, state: 'good' });
    } else if (remote.tries > 0) {
      files.replace(this.#path, writeRemoteConfig({ ...remote, tries: 0 }));
      log.error('config.remote-failed', { keys: remote.refused.map(({ key }) => key) });
      void this.#report(remote);
    }
  }

  async #report({ state, values, refused }: RemoteConfig): Promise<void> {
    const { door, journal, hub, log } = this.#options;
    try {
      const body = utf8(JSON.stringify({ format: 1, state, set: values, refused }));
      const lsn = door.journalOwn({ class: RECORD, key: configReportKey(hub), body });
      await journal.whenDurable(lsn);
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      log.warn('config.remote-unreported', { code: error.code });
    }
  }
}

function isSame(a: RemoteValues, b: RemoteValues): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** As TOML and JSON have it; what they do not have is text that no key allows. */
function jsonOf(value: CborValue): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [String(key), jsonOf(item)]));
  }
  if (Array.isArray(value)) return (value as readonly CborValue[]).map((item) => jsonOf(item));
  return value instanceof Uint8Array || typeof value === 'bigint' ? 'bytes' : value;
}
