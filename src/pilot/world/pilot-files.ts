/**
 * The pilot's files: a simulated disk for everything but the state databases, which SQLite opens by itself in a
 * real folder. Their syncs are granted without a card: simulated time waits for no hardware.
 */
import type { Files, OpenFile } from '../../platform/files/files.ts';

const STATE_DATABASE = /\/state\.db(-wal|-shm|-journal|\.lock)?$/;

export function pilotFiles(simulated: Files, real: Files): Files {
  const of = (path: string): Files => (STATE_DATABASE.test(path) ? real : simulated);
  return {
    open: (path, mode) => {
      const file = of(path).open(path, mode);
      return of(path) === real ? granted(file) : file;
    },
    exists: (path) => of(path).exists(path),
    read: (path) => of(path).read(path),
    replace: (path, bytes) => of(path).replace(path, bytes),
    createNew: (path, bytes) => of(path).createNew(path, bytes),
    list: (dir) => simulated.list(dir),
    makeDir: (dir) => {
      simulated.makeDir(dir);
      real.makeDir(dir);
    },
    rename: (from, to) => of(from).rename(from, to),
    remove: (path) => of(path).remove(path),
    syncDir: (dir) => simulated.syncDir(dir.replace(/\/$/, '')),
    freeBytes: (dir) => simulated.freeBytes(dir),
    lockDir: (dir) => simulated.lockDir(dir),
  };
}

function granted(file: OpenFile): OpenFile {
  return {
    path: file.path,
    readAt: (into, offset) => file.readAt(into, offset),
    writeAt: (bytes, offset) => file.writeAt(bytes, offset),
    size: () => file.size(),
    fillZeros: (offset, count) => file.fillZeros(offset, count),
    truncate: (size) => file.truncate(size),
    datasync: (done) => void grant(done),
    datasyncNow: () => undefined,
    close: () => file.close(),
  };
}

async function grant(done: (error: Error | undefined) => void): Promise<void> {
  await Promise.resolve();
  done(undefined);
}
