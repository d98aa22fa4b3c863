/**
 * Documents that phones write in together, as Yjs updates: each edit says something behind a place that its writer, or
 * one of the others, has written before, so that a document hangs together across phones that know of one another
 * sooner or later. Made by hand: the pilot needs what Yjs writes, not Yjs.
 */
import { below, type Random } from '../../base/random.ts';
import { STRING_REF, type UnitId } from '../../merge/doc/run.ts';
import { writeUpdate } from '../../merge/doc/write-update.ts';

const DOCUMENTS = 8;
const ROOT = 'notes';

interface Note {
  /** Last units of what was written, for others to write behind. */
  readonly places: UnitId[];
  /** Units by writer. */
  readonly clocks: Map<number, number>;
}

export interface Edit {
  readonly key: string;
  readonly update: Uint8Array;
}

export class SharedNotes {
  readonly #random: Random;
  readonly #notes = Array.from({ length: DOCUMENTS }, (): Note => ({
    places: [],
    clocks: new Map(),
  }));

  constructor(random: Random) {
    this.#random = random;
  }

  /** `writer` is the number of a Yjs client. */
  write(writer: number, text: string): Edit {
    const number = below(this.#random, DOCUMENTS);
    const { places, clocks } = this.#notes[number] as Note;
    const clock = clocks.get(writer) ?? 0;
    const origin = places[below(this.#random, Math.max(1, places.length))];
    const parent = origin === undefined ? ROOT : undefined;
    const run = {
      clock,
      length: text.length,
      place: { origin, right: undefined, parent, sub: undefined },
      content: { ref: STRING_REF, text },
    } as const;
    clocks.set(writer, clock + text.length);
    places.push({ client: writer, clock: clock + text.length - 1 });
    const update = writeUpdate(new Map([[writer, { runs: [run], deleted: [] }]]));
    return { key: `notes/${number + 1}`, update };
  }
}
