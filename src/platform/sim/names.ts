/** The folders of the simulated disk: names as programs see them, and as the medium holds them (files.ts). */
import type { Random } from '../../base/random.ts';
import { folderOf } from '../files/files.ts';

interface Change<F> {
  /** Folders whose sync makes it durable; one for most, two for a move between folders. */
  readonly dirs: readonly string[];
  readonly paths: readonly string[];
  /** What it gave a name to. */
  readonly file?: F;
  readonly apply: (table: Map<string, F | 'folder'>) => void;
}

/** The system writes names back by itself before long: so many changes may wait at most. */
const PENDING_MAX = 100;

/** Paths to files or folders. `F` is what a file is. The root folders `/` and `.` always exist. */
export class NameTable<F extends object> {
  #seen = new Map<string, F | 'folder'>();
  #durable = new Map<string, F | 'folder'>();
  #pending: Change<F>[] = [];
  /** Until a name changes. */
  #files: readonly F[] | undefined;

  get hasUnsynced(): boolean {
    return this.#pending.length > 0;
  }

  has(path: string): boolean {
    return path === '/' || path === '.' || this.#seen.has(path);
  }

  file(path: string): F | undefined {
    const entry = this.#seen.get(path);
    return entry === 'folder' ? undefined : entry;
  }

  /** Every file once: each has one name. */
  files(): readonly F[] {
    return (this.#files ??= [...this.#seen.values()].filter((entry) => entry !== 'folder'));
  }

  /** Every file that has a name, or may have one again after a power cut. */
  reachable(): Set<F> {
    const found = new Set<F>();
    for (const entry of this.#seen.values()) if (entry !== 'folder') found.add(entry);
    for (const entry of this.#durable.values()) if (entry !== 'folder') found.add(entry);
    for (const { file } of this.#pending) if (file !== undefined) found.add(file);
    return found;
  }

  list(dir: string): string[] {
    const prefix = dir.endsWith('/') ? dir : `${dir}/`;
    const names = [...this.#seen.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
    return names.filter((name) => !name.includes('/')).toSorted();
  }

  /** Makes a folder and its parents, at once durable (a hub makes its folders once); false where it exists. */
  makeDir(dir: string): boolean {
    if (this.has(dir)) return false;
    this.makeDir(folderOf(dir));
    this.#seen.set(dir, 'folder');
    this.#durable.set(dir, 'folder');
    return true;
  }

  add(path: string, file: F): void {
    this.#change([path], (table) => table.set(path, file), file);
  }

  rename(from: string, to: string): void {
    this.#change([from, to], (table) => {
      for (const path of below(table, from)) {
        table.set(to + path.slice(from.length), table.get(path) as F | 'folder');
        table.delete(path);
      }
    });
  }

  remove(path: string): void {
    this.#change([path], (table) => {
      for (const each of below(table, path)) table.delete(each);
    });
  }

  /** Makes durable what happened in the folder, and what it rests on. */
  sync(dir: string): void {
    const needed = new Set<string>();
    const kept: Change<F>[] = [];
    // From the newest to the oldest: a change is carried along where a later one on the same path is.
    for (const change of this.#pending.toReversed()) {
      const taken = change.dirs.includes(dir) || change.paths.some((path) => needed.has(path));
      if (taken) for (const path of change.paths) needed.add(path);
      else kept.push(change);
    }
    for (const change of this.#pending) if (!kept.includes(change)) change.apply(this.#durable);
    this.#pending = kept.toReversed();
  }

  /** Makes durable what happened anywhere, as the system does before long. */
  writeBack(): void {
    for (const change of this.#pending) change.apply(this.#durable);
    this.#pending = [];
  }

  powerCut(random: Random): void {
    const lost = new Set<string>();
    for (const change of this.#pending) {
      if (random.fraction() < 0.5 && !change.paths.some((path) => lost.has(path))) {
        change.apply(this.#durable);
      } else {
        for (const path of change.paths) lost.add(path);
      }
    }
    this.#pending = [];
    this.#files = undefined;
    this.#seen = new Map(this.#durable);
  }

  #change(paths: readonly string[], apply: Change<F>['apply'], file?: F): void {
    apply(this.#seen);
    this.#files = undefined;
    const dirs = [...new Set(paths.map(folderOf))];
    this.#pending.push({ dirs, paths, apply, ...(file === undefined ? {} : { file }) });
    if (this.#pending.length > PENDING_MAX) this.#pending.shift()?.apply(this.#durable);
  }
}

/** The path itself and all below it. */
function below(table: ReadonlyMap<string, unknown>, path: string): string[] {
  return [...table.keys()].filter((each) => each === path || each.startsWith(`${path}/`));
}
