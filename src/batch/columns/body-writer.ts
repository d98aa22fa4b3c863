/**
 * Bodies on their way into columns: cut into templates and values as ops come, planned and coded series by
 * series at the end (COLUMNS.md §4.3).
 */
import { must } from '../../base/assert.ts';
import type { BitCoder } from './bit-coder.ts';
import { ByteSink } from './byte-sink.ts';
import { BodyModel } from './body-model.ts';
import { planSlot, settleShapes, type SlotValues } from './plan.ts';
import { type SlotModel, SlotStream } from './slot-stream.ts';
import { SlotReader, TEXT, writeDecimal } from './slot-value.ts';
import { SLOTS_TOTAL_MAX } from './tables.ts';
import { Cutter, piecesOf, type Template } from './template.ts';

/** Templates of one batch; a body that would need another travels as it is. */
const TEMPLATES_MAX = 1024;
const DECIMAL_TEXT_MAX = 32;

/** Rows of one series that share a template: their values, slot by slot. */
interface TemplateDraft {
  readonly template: Template;
  /** Which rows of the series, counted within it. */
  readonly places: number[];
  readonly slots: readonly SlotValues[];
}

/** The bodies of one series. */
export interface BodyDraft {
  /** One a row: a template's draft, or the body itself where it is not cut. */
  readonly rows: (TemplateDraft | Uint8Array)[];
  readonly draftByTemplate: Map<number, TemplateDraft>;
  last: TemplateDraft | undefined;
}

/** Cuts bodies and keeps their values. */
export class BodyDrafts {
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
    return { rows: [], draftByTemplate: new Map(), last: undefined };
  }

  add(series: BodyDraft, body: Uint8Array): void {
    const { last } = series;
    const isAlike = last !== undefined && this.#cutter.cutLike(last.template, body);
    const draft = isAlike ? last : this.#cut(series, body);
    if (draft === undefined) {
      series.rows.push(body.slice());
      return;
    }
    series.last = draft;
    draft.places.push(series.rows.length);
    series.rows.push(draft);
    const { bounds } = this.#cutter;
    const reader = this.#reader;
    for (let i = 0; i < draft.slots.length; i++) {
      const from = bounds[2 * i] as number;
      const to = bounds[2 * i + 1] as number;
      reader.read(body, from, to);
      const { shapes, numbers } = draft.slots[i] as SlotValues;
      shapes.push(reader.shape);
      numbers.push(reader.shape === TEXT ? this.text(body.subarray(from, to)) : reader.number);
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
    const slots = Array.from({ length: template.pieces.length - 1 }, () => ({
      shapes: [],
      numbers: [],
    }));
    const draft = { template, places: [], slots };
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
  #series: BodyDraft | undefined;
  #hlcMs: readonly number[] = [];
  #row = 0;
  #open = new Map<TemplateDraft, OpenTemplate>();

  constructor(drafts: BodyDrafts) {
    this.#drafts = drafts;
  }

  /** Begins a series; `hlcMs` are the times of its rows. */
  open(series: BodyDraft, hlcMs: readonly number[]): void {
    this.#series = series;
    this.#hlcMs = hlcMs;
    this.#row = 0;
    this.#open = new Map();
    this.#model.openSeries();
  }

  /** Codes the next row of the series; returns how many slots it has. */
  code(coder: BitCoder, hlcMs: number): number {
    const series = must(this.#series, 'a series is open');
    const row = must(series.rows[this.#row], 'rows and bodies go together');
    this.#row += 1;
    if (row instanceof Uint8Array) {
      this.#model.codeTemplate(coder, 0);
      this.#model.codeRawLength(coder, row.length);
      this.raw.push(row);
      return 0;
    }
    this.#model.codeTemplate(coder, row.template.id + 1);
    const open = this.#open.get(row) ?? this.#openTemplate(coder, row);
    for (let i = 0; i < open.streams.length; i++) {
      const { shapes, numbers } = row.slots[i] as SlotValues;
      const shape = shapes[open.next] as number;
      let number = numbers[open.next] as number;
      const stream = open.streams[i] as SlotStream;
      if (shape === TEXT) number = this.#place(this.#model.slot(row.template.id, i), number);
      stream.code(coder, shape, number, hlcMs, this.#textNumbers);
    }
    open.next += 1;
    return open.streams.length;
  }

  #openTemplate(coder: BitCoder, draft: TemplateDraft): OpenTemplate {
    const times = draft.places.map((place) => this.#hlcMs[place] as number);
    const streams = draft.slots.map((values, slot) => {
      settleShapes(values, this.#textOfDecimal);
      const model = this.#model.slot(draft.template.id, slot);
      return new SlotStream(coder, model, this.#model.plans, planSlot(values, times));
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
