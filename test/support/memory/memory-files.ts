/** Whole files in a map, for code that reads and replaces small ones. */
import type { DirectoryLock, Files } from '../../../src/platform/files/files.ts';

export class MemoryFiles implements Pick<
  Files,
  'read' | 'replace' | 'createNew' | 'makeDir' | 'exists' | 'list' | 'lockDir'
> {
  readonly bytesByPath = new Map<string, Uint8Array>();

  read(path: string): Uint8Array | undefined {
    return this.bytesByPath.get(path);
  }

  replace(path: string, bytes: Uint8Array): void {
    this.bytesByPath.set(path, bytes);
  }

  createNew(path: string, bytes: Uint8Array): boolean {
    if (this.bytesByPath.has(path)) return false;
    this.replace(path, bytes);
    return true;
  }

  exists(path: string): boolean {
    return this.list(path).length > 0 || this.bytesByPath.has(path);
  }

  list(dir: string): string[] {
    const names = [...this.bytesByPath.keys()]
      .filter((path) => path.startsWith(`${dir}/`))
      .map((path) => path.slice(dir.length + 1).split('/')[0] as string);
    return [...new Set(names)].toSorted();
  }

  makeDir(): void {
    // Folders need no making here.
  }

  lockDir(): DirectoryLock {
    return { release: () => undefined }; // Nobody else is here.
  }
}
