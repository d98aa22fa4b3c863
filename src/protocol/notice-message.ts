/** `sync/<device>/notice`: what befell ops of a device after their receipt (sync/PROTOCOL.md §5). */
import { CborError, CborReader } from '../codec/reader.ts';
import { CborWriter } from '../codec/writer.ts';
import { type OpId, readOpId, writeOpId } from '../merge/op-id.ts';
import { NOTICE_ENTRIES_MAX } from './limits.ts';
import { readConflict, readList, type ToldConflict, writeConflict } from './receipt-message.ts';

/** An op of the device was taken back by somebody else. */
export interface ToldUndo {
  readonly key: string;
  readonly op: OpId;
  readonly by: OpId;
}

/** A sync state that the device is in, and the steps that lead out of it. */
interface ToldState {
  readonly name: string;
  readonly steps: readonly string[];
}

export type Notice =
  | { readonly kind: 'conflict'; readonly conflicts: readonly ToldConflict[] }
  | { readonly kind: 'undo'; readonly undone: readonly ToldUndo[] }
  | { readonly kind: 'recovery'; readonly state: ToldState };

const CONFLICT = 0;
const UNDO = 1;
const RECOVERY = 2;
const LIMITS = { depthMax: 8, itemsMax: 4096 };

export function encodeNotice(notice: Notice): Uint8Array {
  const writer = new CborWriter(128);
  switch (notice.kind) {
    case 'conflict':
      writer.array(2).uint(CONFLICT).array(notice.conflicts.length);
      for (const conflict of notice.conflicts) writeConflict(writer, conflict);
      break;
    case 'undo':
      writer.array(2).uint(UNDO).array(notice.undone.length);
      for (const { key, op, by } of notice.undone) {
        writeOpId(writer.array(3).text(key), op);
        writeOpId(writer, by);
      }
      break;
    case 'recovery': {
      const { name, steps } = notice.state;
      writer.array(3).uint(RECOVERY).text(name).array(steps.length);
      for (const step of steps) writer.text(step);
    }
  }
  return writer.finish();
}

/** Throws `CborError` where the message is malformed. */
export function readNotice(bytes: Uint8Array): Notice {
  const reader = new CborReader(bytes, 0, LIMITS);
  const count = reader.array();
  const type = reader.uint();
  const notice = readKind(reader, type, count);
  if (!reader.atEnd) throw new CborError('bytes after the end', reader.offset);
  return notice;
}

function readKind(reader: CborReader, type: number, count: number): Notice {
  if (type === CONFLICT && count === 2) {
    return { kind: 'conflict', conflicts: limited(readList(reader, () => readConflict(reader))) };
  }
  if (type === UNDO && count === 2) {
    const undone = readList(reader, () => {
      reader.expectArray(3);
      return { key: reader.text(), op: readOpId(reader), by: readOpId(reader) };
    });
    return { kind: 'undo', undone: limited(undone) };
  }
  if (type === RECOVERY && count === 3) {
    const name = reader.text();
    const steps = limited(readList(reader, () => reader.text()));
    return { kind: 'recovery', state: { name, steps } };
  }
  throw new CborError('unknown notice', 0);
}

function limited<T>(entries: T[]): T[] {
  if (entries.length > NOTICE_ENTRIES_MAX) throw new CborError('too many entries', 0);
  return entries;
}
