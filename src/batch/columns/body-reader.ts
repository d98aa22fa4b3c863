/** Bodies on their way out of columns: the mirror of `body-writer.ts`, for tables that nobody vouches for. */
import { BODY_BYTES_MAX } from '../../model/op.ts';
import type { BitCoder } from './bit-coder.ts';
import { BodyModel } from './body-model.ts';
import { ByteSink } from './byte-sink.ts';
import { ColumnsError } from './columns-error.ts';
import { SlotStream } from './slot-stream.ts';
import {
  DOUBLE,
  isIsoNumber,
  isoText,
  SINGLE,
  singleOfOrder,
  TEXT,
  writeDecimal,
} from './slot-value.ts';
import type { Tables } from './tables.ts';
import { piecesOf } from './template.ts';

export class BodyReader {
  readonly #tables: Tables;
  readonly #pieces: readonly (readonly Uint8Array[])[];
  readonly #sink: ByteSink;
  readonly #model = new BodyModel();
  #streams = new Map<number, SlotStream[]>();
  #texts = 0;
  #rawOffset = 0;

  constructor(tables: Tables, bytesMax: number) {
    this.#tables = tables;
    this.#pieces = tables.templates.map((template) => piecesOf(template));
    this.#sink = new ByteSink(bytesMax);
  }

  /** Where the bodies read so far end. */
  get length(): number {
    return this.#sink.length;
  }

  /** True where every text and every uncut body was used. */
  get usedAll(): boolean {
    return this.#texts === this.#tables.texts.length && this.#rawOffset === this.#tables.raw.length;
  }

  openSeries(): void {
    this.#streams = new Map();
    this.#model.openSeries();
  }

  /** Appends the body of the next row; returns how many slots it has. */
  read(coder: BitCoder, hlcMs: number): number {
    const start = this.#sink.length;
    const number = this.#model.codeTemplate(coder, 0);
    const slots = number === 0 ? this.#readRaw(coder) : this.#readCut(coder, number - 1, hlcMs);
    if (this.#sink.length - start > BODY_BYTES_MAX) throw new ColumnsError('body too long');
    return slots;
  }

  body(from: number, to: number): Uint8Array {
    return this.#sink.slice(from, to);
  }

  #readRaw(coder: BitCoder): number {
    const length = this.#model.codeRawLength(coder, 0);
    const end = this.#rawOffset + length;
    if (length < 0 || end > this.#tables.raw.length) throw new ColumnsError('cut short');
    this.#sink.bytes(this.#tables.raw.subarray(this.#rawOffset, end));
    this.#rawOffset = end;
    return 0;
  }

  #readCut(coder: BitCoder, template: number, hlcMs: number): number {
    const pieces = this.#pieces[template];
    if (pieces === undefined) throw new ColumnsError('unknown template');
    const streams = this.#streams.get(template) ?? this.#openTemplate(coder, template, pieces);
    for (let i = 0; i < streams.length; i++) {
      this.#sink.bytes(pieces[i] as Uint8Array);
      const stream = streams[i] as SlotStream;
      stream.code(coder, 0, 0, hlcMs, this.#textNumbers);
      this.#write(stream, template, i);
    }
    this.#sink.bytes(pieces[streams.length] as Uint8Array);
    return streams.length;
  }

  #openTemplate(
    coder: BitCoder,
    template: number,
    pieces: readonly Uint8Array[],
  ): readonly SlotStream[] {
    const streams: SlotStream[] = [];
    for (let i = 0; i < pieces.length - 1; i++) {
      streams.push(new SlotStream(coder, this.#model.slot(template, i), this.#model.plans));
    }
    this.#streams.set(template, streams);
    return streams;
  }

  #write({ shape, number }: SlotStream, template: number, slot: number): void {
    if (shape < DOUBLE) return writeDecimal(this.#sink, number, shape);
    if (shape === DOUBLE) return this.#sink.ascii(String(number));
    if (shape === TEXT) {
      const text = this.#model.slot(template, slot).texts[number] as number;
      return this.#sink.bytes(this.#tables.texts[text] as Uint8Array);
    }
    if (shape === SINGLE) {
      const single = singleOfOrder(number);
      if (single === undefined) throw new ColumnsError('no finite number');
      return this.#sink.ascii(String(single));
    }
    if (!isIsoNumber(shape, number)) throw new ColumnsError('time out of range');
    this.#sink.ascii(isoText(shape, number));
  }

  readonly #textNumbers = {
    next: (): number => {
      if (this.#texts === this.#tables.texts.length) throw new ColumnsError('unknown text');
      this.#texts += 1;
      return this.#texts - 1;
    },
  };
}
