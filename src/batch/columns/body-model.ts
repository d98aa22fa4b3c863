/** What the bodies of a batch learn, and how each says which template it has (COLUMNS.md §4.3). */
import type { BitCoder } from './bit-coder.ts';
import { NumberModel } from './number-model.ts';
import { NumberStream, Predictor, PREVIOUS } from './predictor.ts';
import { PlanModel, SlotModel } from './slot-stream.ts';
import { SLOTS_MAX } from './template.ts';

export class BodyModel {
  readonly plans = new PlanModel();
  readonly #slots = new Map<number, SlotModel>();
  readonly #templateNumbers = new NumberModel();
  readonly #lengths = new NumberStream(new NumberModel(), new Predictor(PREVIOUS, 0));
  #templates = new NumberStream(this.#templateNumbers, new Predictor(PREVIOUS, 0));
  #first = 0;
  #isFirst = false;

  /** A series most likely begins with the template that the series before it began with. */
  openSeries(): void {
    this.#templates = new NumberStream(this.#templateNumbers, new Predictor(PREVIOUS, this.#first));
    this.#isFirst = true;
  }

  /** 0 for a body that is not cut, otherwise the template's number plus one. */
  codeTemplate(coder: BitCoder, template: number): number {
    const coded = this.#templates.code(coder, template, 0);
    if (this.#isFirst) this.#first = coded;
    this.#isFirst = false;
    return coded;
  }

  /** Bytes of a body that is not cut. */
  codeRawLength(coder: BitCoder, length: number): number {
    return this.#lengths.code(coder, length, 0);
  }

  slot(template: number, slot: number): SlotModel {
    const key = template * SLOTS_MAX + slot;
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const model = new SlotModel();
    this.#slots.set(key, model);
    return model;
  }
}
