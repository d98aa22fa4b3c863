/**
 * The data directory of a hub: its lock, its layout version, and where each part keeps its files.
 *
 *   layout            version of this layout
 *   hub.id            whose the data are: identity.ts
 *   folders           which folders have been here: folders.ts
 *   formerly          hubs whose data they were before: identity.ts
 *   cut               that the end of a journal was lost: storage/cut-journal.ts
 *   keys/hub.pem      identity
 *   sessions.cbor     MQTT sessions and retained messages, as of an LSN of the journal
 *   keys/kek          what the journal's keys are wrapped to, unless systemd gives it
 *   keys/epochs/      keys of the journal
 *   progress          how far the lanes had come when the journal was too full to note it
 *   dropped           how much went without a receipt: storage/dropped-bulk.ts
 *   holes             what devices and peers say that this hub lacks: storage/hole-file.ts
 *   journal/  state.db  power/  uplink/  ledger/  users.json
 *   users.lock/       held by whoever changes users.json
 *   assets/           contents of assets and their previews: assets/ASSETS.md
 *   spare             room for a start on a full disk: storage/spare-room.ts
 *   taken/            the state of another hub, on its way here
 *   flash.json        what the card took in the last days
 *   runtime.json      addresses of the running hub, for the commands; gone when it is not running
 */
import { utf8 } from '../../base/bytes.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Closers } from '../../closers.ts';
import type { Machine } from '../../machine.ts';
import { type DirectoryLock, type Files, textIn } from '../../platform/files/files.ts';
import { DATA_LAYOUT } from '../../versions.ts';

export type HubPaths = Readonly<ReturnType<typeof hubPaths>>;

export function hubPaths(dir: string) {
  return {
    owner: `${dir}/hub.id`,
    folders: `${dir}/folders`,
    formerly: `${dir}/formerly`,
    cut: `${dir}/cut`,
    identity: `${dir}/keys/hub.pem`,
    kek: `${dir}/keys/kek`,
    epochKeys: `${dir}/keys/epochs`,
    journal: `${dir}/journal`,
    progress: `${dir}/progress`,
    dropped: `${dir}/dropped`,
    holes: `${dir}/holes`,
    state: `${dir}/state.db`,
    sessions: `${dir}/sessions.cbor`,
    snapshot: `${dir}/state.snapshot`,
    spare: `${dir}/spare`,
    taken: `${dir}/taken`,
    syncLog: `${dir}/power`,
    uplink: `${dir}/uplink`,
    ledger: `${dir}/ledger`,
    flash: `${dir}/flash.json`,
    assets: `${dir}/assets`,
    audit: `${dir}/audit`,
  };
}

/** Key of the power-aware log's lines in the journal of a hub, and in the store of its site. */
export function syncLogKey(hub: string): string {
  return `log/power/${hub}`;
}

/** Where the regional node of a data directory keeps its files. */
export function regionalDir(data: string): string {
  return `${data}/regional`;
}

/** Whether a hub has used the directory; throws where nobody may look. */
export function isDataDirectory(dir: string, files: Pick<Files, 'list'>): boolean {
  return files.list(dir).includes(LAYOUT_FILE);
}

/**
 * Takes the directory for this process. Throws `data.locked` where another holds it, `data.newer` where a
 * newer version wrote it, `data.read-only` where nothing can be written.
 */
export function takeDataDirectory(dir: string, files: Files, closers: Closers): HubPaths {
  const lock = lockWritable(dir, files);
  closers.add({ close: () => lock.release() });
  checkLayout(dir, files);
  return hubPaths(dir);
}

/** What a disk answers that is not there any more, or is broken. */
const FAILING: ReadonlySet<string> = new Set(['EIO', 'ENXIO', 'ENODEV', 'EUCLEAN']);

/** What the first look at the data gives; throws `data.failing` where their disk answers with errors of its own. */
export function onSoundDisk<T>(dir: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!FAILING.has(systemCode(error) ?? '')) throw error;
    throw new HubError('data.failing', `the disk of ${dir} fails: ${messageOf(error)}`, error);
  }
}

function lockWritable(dir: string, files: Pick<Files, 'makeDir' | 'lockDir'>): DirectoryLock {
  try {
    files.makeDir(dir);
    return files.lockDir(dir);
  } catch (error) {
    if (systemCode(error) !== 'EROFS') throw error;
    throw new HubError('data.read-only', `the file system of ${dir} is read-only`, error);
  }
}

const LAYOUT_FILE = 'layout';

/** Writes the version of the first start; throws as `layoutFault`. */
function checkLayout(dir: string, files: Files): void {
  const path = `${dir}/${LAYOUT_FILE}`;
  const isNew = (files.read(path)?.length ?? 0) === 0;
  const fault = isNew ? undefined : layoutFault(dir, files);
  if (fault !== undefined) throw fault;
  if (isNew) files.replace(path, utf8(`${DATA_LAYOUT}\n`));
}

/** `data.newer` or `data.unreadable`; undefined where the directory is of this layout. */
export function layoutFault(dir: string, files: Pick<Files, 'read'>): HubError | undefined {
  const path = `${dir}/${LAYOUT_FILE}`;
  const text = textIn(files, path);
  const layout = Number(text);
  if (layout === DATA_LAYOUT) return undefined;
  if (Number.isInteger(layout) && layout > DATA_LAYOUT) {
    const message = `${path} says ${layout}, this version knows ${DATA_LAYOUT}`;
    return new HubError('data.newer', message);
  }
  return new HubError('data.unreadable', `${path} holds "${text}" instead of a version number`);
}

/** What `runtime.json` says. */
export interface Runtime {
  readonly pid: number;
  /** `mqtt://127.0.0.1:1883`, as far as it listens there. */
  readonly mqtt?: string;
  readonly mqtts?: string;
  /** Ends with a slash. */
  readonly http?: string;
}

/** Tells the commands where the running node can be asked; on a full disk they have to be told by hand. */
export function announceRuntime(
  dir: string,
  runtime: Runtime,
  { files, log }: Pick<Machine, 'files' | 'log'>,
  closers: Closers,
): void {
  const path = runtimePath(dir);
  try {
    files.replace(path, utf8(`${JSON.stringify(runtime)}\n`));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    log.warn('runtime.unannounced', { path, reason: messageOf(error) });
  }
  closers.add({ close: () => files.remove(path) });
}

export function runtimePath(dir: string): string {
  return `${dir}/runtime.json`;
}
