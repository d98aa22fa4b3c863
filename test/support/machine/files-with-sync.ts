/** The machine's files with a waiting sync of the test's own. */
import type { Files, OpenFile } from '../../../src/platform/files/files.ts';
import { machineFiles } from '../../../src/platform/files/machine-files.ts';

type Datasync = (file: OpenFile, done: (error: Error | undefined) => void) => void;

export function filesWithSync(datasync: Datasync): Files {
  return {
    ...machineFiles,
    open(path, mode) {
      const file = machineFiles.open(path, mode);
      return {
        path,
        readAt: (into, offset) => file.readAt(into, offset),
        writeAt: (bytes, offset) => {
          file.writeAt(bytes, offset);
        },
        fillZeros: (offset, bytes) => {
          file.fillZeros(offset, bytes);
        },
        size: () => file.size(),
        truncate: (size) => {
          file.truncate(size);
        },
        datasync: (done) => {
          datasync(file, done);
        },
        datasyncNow: () => {
          file.datasyncNow();
        },
        close: () => {
          file.close();
        },
      };
    },
  };
}
