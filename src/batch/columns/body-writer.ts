/**
 * Bodies on their way into columns: cut into templates and values as ops come, planned and coded series by
 * series at the end (COLUMNS.md §4.3).
 */
import { must } from '../../base/assert.ts';
import type { BitCoder } from './bit-coder.ts';
import { ByteSink } from './byte-sink.ts';
import { BodyModel } from './body-model.ts';
import { planSlot, settleShapes, SlotValues } from './plan.ts';
import { type SlotModel, SlotStream } from './slot-stream.ts';
import { SlotReader, TEXT, writeDecimal } from './slot-value.ts';
import { SLOTS_TOTAL_MAX } from './tables.ts';
import { Cutter, piecesOf, type Template } from './template.ts';

/** Templates of one batch; a body that would need another travels as it is. */
const TEMPLATES_MAX = 1024;
const DECIMAL_TEXT_MAX = 32;

/** Rows of one series that share a template, and where the values of each begin. */
interface TemplateDraft {
  readonly template: Template;
  readonly rows: number[];
  readonly starts: number[];
}

/** The bodies of one series. */
export interface BodyDraft {
  /** One for each body: a template's draft, or the body itself where it is not cut. */
  readonly bodies: (TemplateDraft | Uint8Array)[];
  readonly draftByTemplate: Map<number, TemplateDraft>;
  last: TemplateDraft | undefined;
}

/** Cuts bodies and keeps their values. */
export class BodyDrafts {
  readonly values = new SlotValues();
  /** Templates as they travel, by id. */
  readonly skeletons: Uint8Array[] = [];
  /** Texts that are no numbers, by the number that stands for them in a draft. */
  readonly texts: Uint8Array[] = [];
  readonly #textByKey = new Map<string, number>();
  readonly #templates = new Map<string, Template>();
  readonly #cutter = new Cutter();
  readonly #reader = new SlotReader();
  #slots = 0;

  series(): BodyDraft {
    return { bodies: [], draftByTemplate: new Map(), last: undefined };
  }

  /** Takes the body of the batch's row `row` in, as the next of its series. */
  add(series: BodyDraft, row: number, body: Uint8Array): void {
    const { last } = series;
    const isAlike = last !== undefined && this.#cutter.cutLike(last.template, body);
    const draft = isAlike ? last : this.#cut(series, body);
    if (draft === undefined) {
      series.bodies.push(body.slice());
      return;
    }
    series.last = draft;
    series.bodies.push(draft);
    draft.rows.push(row);
    draft.starts.push(this.values.length);
    const { bounds, slots } = this.#cutter;
    const reader = this.#reader;
    for (let i = 0; i < slots; i++) {
      const from = bounds[2 * i] as number;
      const to = bounds[2 * i + 1] as number;
      reader.read(body, from, to);
      const isText = reader.shape === TEXT;
      this.values.add(reader.shape, isText ? this.text(body.subarray(from, to)) : reader.number);
    }
  }

  /** The number of a text. */
  text(bytes: Uint8Array): number {
    const key = String.fromCharCode(...bytes);
    const known = this.#textByKey.get(key);
    if (known !== undefined) return known;
    this.#textByKey.set(key, this.texts.length);
    this.texts.push(bytes.slice());
    return this.texts.length - 1;
  }

  #cut(series: BodyDraft, body: Uint8Array): TemplateDraft | undefined {
    const skeleton = this.#cutter.cut(body);
    const template = skeleton === undefined ? undefined : this.#template(skeleton);
    if (template === undefined) return undefined;
    const known = series.draftByTemplate.get(template.id);
    if (known !== undefined) return known;
    const draft = { template, rows: [], starts: [] };
    series.draftByTemplate.set(template.id, draft);
    return draft;
  }

  #template(skeleton: Uint8Array): Template | undefined {
    const key = String.fromCharCode(...skeleton);
    const known = this.#templates.get(key);
    if (known !== undefined) return known;
    const slots = this.#slots + this.#cutter.slots;
    if (this.skeletons.length === TEMPLATES_MAX || slots > SLOTS_TOTAL_MAX) return undefined;
    this.#slots = slots;
    const kept = skeleton.slice();
    const template = { id: this.skeletons.length, pieces: piecesOf(kept) };
    this.skeletons.push(kept);
    this.#templates.set(key, template);
    return template;
  }
}

/** The streams of a template in the series at hand. */
interface OpenTemplate {
  readonly streams: SlotStream[];
  next: number;
}

/** Codes the bodies, series after series, row after row. */
export class BodyWriter {
  /** Texts and uncut bodies in the order in which the reader meets them. */
  readonly texts: Uint8Array[] = [];
  readonly raw: Uint8Array[] = [];
  readonly #drafts: BodyDrafts;
  readonly #model = new BodyModel();
  /** Place of each text among those that a slot has met. */
  readonly #placesBySlot = new Map<SlotModel, Map<number, number>>();
  /** Times of all rows. */
  readonly #hlcMs: Float64Array;
  #bodies: BodyDraft['bodies'] = [];
  #next = 0;
  #open = new Map<TemplateDraft, OpenTemplate>();

  constructor(drafts: BodyDrafts, hlcMs: Float64Array) {
    this.#drafts = drafts;
    this.#hlcMs = hlcMs;
  }

  /** Begins a series. */
  open({ bodies }: BodyDraft): void {
    this.#bodies = bodies;
    this.#next = 0;
    this.#open = new Map();
    this.#model.openSeries();
  }

  /** Codes the next body of the series; returns how many slots it has. */
  code(coder: BitCoder, hlcMs: number): number {
    const body = must(this.#bodies[this.#next], 'rows and bodies go together');
    this.#next += 1;
    if (body instanceof Uint8Array) {
      this.#model.codeTemplate(coder, 0);
      this.#model.codeRawLength(coder, body.length);
      this.raw.push(body);
      return 0;
    }
    const { template, starts } = body;
    this.#model.codeTemplate(coder, template.id + 1);
    const open = this.#open.get(body) ?? this.#openTemplate(coder, body);
    const { streams } = open;
    const start = starts[open.next] as number;
    const { shapes, numbers } = this.#drafts.values;
    for (let i = 0; i < streams.length; i++) {
      const shape = shapes[start + i] as number;
      let number = numbers[start + i] as number;
      if (shape === TEXT) number = this.#place(this.#model.slot(template.id, i), number);
      (streams[i] as SlotStream).code(coder, shape, number, hlcMs, this.#textNumbers);
    }
    open.next += 1;
    return streams.length;
  }

  #openTemplate(coder: BitCoder, draft: TemplateDraft): OpenTemplate {
    const { template, rows, starts } = draft;
    const streams = Array.from({ length: template.pieces.length - 1 }, (_, index) => {
      const slot = { values: this.#drafts.values, starts, rows, index };
      settleShapes(slot, this.#textOfDecimal);
      const model = this.#model.slot(template.id, index);
      return new SlotStream(coder, model, this.#model.plans, planSlot(slot, this.#hlcMs));
    });
    const open = { streams, next: 0 };
    this.#open.set(draft, open);
    return open;
  }

  /** The number of a decimal's text. */
  readonly #textOfDecimal = (number: number, digits: number): number => {
    const sink = new ByteSink(DECIMAL_TEXT_MAX);
    writeDecimal(sink, number, digits);
    return this.#drafts.text(sink.slice(0, sink.length));
  };

  #place(slot: SlotModel, text: number): number {
    let places = this.#placesBySlot.get(slot);
    if (places === undefined) {
      places = new Map();
      this.#placesBySlot.set(slot, places);
    }
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, places.size);
    this.texts.push(must(this.#drafts.texts[text], 'a text has a number'));
    return places.size - 1;
  }

  /** The text was put into its place a moment before. */
  readonly #textNumbers = { next: (): number => this.texts.length - 1 };
}
