/** Names of ops, as bodies carry them and people type them: `<origin>/<class>/<seq>`. */
import { CborError, type CborReader } from '../codec/reader.ts';
import type { CborWriter } from '../codec/writer.ts';
import { classNamed, isOpClass, type OpClass } from '../model/class.ts';
import { bytesOfOrigin, type Origin, originOfBytes, originOfText } from '../model/origin.ts';

export interface OpId {
  readonly origin: Origin;
  readonly class: OpClass;
  readonly seq: number;
}

/** True where the two name the same op. */
export function isSameOp(a: OpId, b: OpId): boolean {
  return a.origin === b.origin && a.class === b.class && a.seq === b.seq;
}

/** The name alone of what has one. */
export function opIdOf({ origin, class: opClass, seq }: OpId): OpId {
  return { origin, class: opClass, seq };
}

export function textOfOpId({ origin, class: opClass, seq }: OpId): string {
  return `${origin}/${opClass}/${seq}`;
}

/** Reads `<origin>/<class>/<seq>`, the class by number or name; undefined where the text is no op's name. */
export function opIdOfText(text: string): OpId | undefined {
  const [originText = '', classText = '', seqText = '', ...rest] = text.split('/');
  const origin = originOfText(originText);
  const opClass = /^\d$/.test(classText) ? Number(classText) : classNamed(classText);
  const seq = /^[1-9]\d{0,15}$/.test(seqText) ? Number(seqText) : Number.NaN;
  if (origin === undefined || opClass === undefined || rest.length > 0) return undefined;
  if (!isOpClass(opClass) || !Number.isSafeInteger(seq)) return undefined;
  return { origin, class: opClass, seq };
}

export function writeOpId(writer: CborWriter, { origin, class: opClass, seq }: OpId): void {
  writer.array(3).bytes(bytesOfOrigin(origin)).uint(opClass).uint(seq);
}

/** Throws `CborError` where the next item is no op's name. */
export function readOpId(reader: CborReader): OpId {
  const start = reader.offset;
  reader.expectArray(3);
  const origin = originOfBytes(reader.bytes());
  const opClass = reader.uint();
  const seq = reader.uint();
  if (origin === undefined || !isOpClass(opClass) || seq === 0) {
    throw new CborError('not the name of an op', start);
  }
  return { origin, class: opClass, seq };
}
