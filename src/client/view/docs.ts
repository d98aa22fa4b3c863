/**
 * Shared documents: a `Y.Doc` of the application, bound to a key. What is typed within a moment becomes one op; what
 * others typed comes into the document as it arrives. Yjs is the application's: whoever has no documents does not carry
 * it. Taking a step back in a document is an update like any other: use its `Y.UndoManager`.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import { HubError } from '../../base/errors.ts';

/** What is needed of a `Y.Doc`. */
export interface YDoc {
  on(name: 'update', listener: (update: Uint8Array, origin: unknown) => void): unknown;
  on(name: 'destroy', listener: () => void): unknown;
}

/** What is needed of Yjs: pass the module, `import * as Y from 'yjs'`. */
export interface YModule<D extends YDoc> {
  readonly Doc: new () => D;
  applyUpdate(doc: D, update: Uint8Array, origin?: unknown): void;
  mergeUpdates(updates: Uint8Array[]): Uint8Array;
  encodeStateVectorFromUpdate(update: Uint8Array): Uint8Array;
  encodeStateAsUpdate(doc: D, known: Uint8Array): Uint8Array;
}

interface DocsOptions {
  /** Makes the op: rejects, or throws, where that cannot be. */
  readonly make: (key: string, update: Uint8Array) => PromiseLike<unknown>;
  /** Nobody waits for what was typed: somebody has to hear that it cannot be handed in. */
  readonly onTrouble: (error: HubError) => void;
  /** What is known of the document: the hub's state and own ops. */
  readonly updatesOf: (key: string) => readonly Uint8Array[];
  readonly timers: Timers;
}

interface BoundDoc {
  readonly doc: YDoc;
  readonly apply: (update: Uint8Array) => void;
  readonly flush: () => void;
}

/** So long typing is gathered: a crash costs no more. */
const GATHER_MS = 300;
/** What found no room is tried again. */
const RETRY_MS = 5_000;
/** Larger ones go one by one, as they were typed. */
const MERGED_BYTES_MAX = 256 * 1024;
const NO_ROOM: ReadonlySet<string> = new Set(['client.outbox-full', 'client.storage-full']);

export class Docs {
  readonly #options: DocsOptions;
  readonly #bound = new Map<string, BoundDoc>();

  constructor(options: DocsOptions) {
    this.#options = options;
  }

  /** The document of the key, the same one each time until it is destroyed. */
  open<D extends YDoc>(key: string, yjs: YModule<D>): D {
    const known = this.#bound.get(key);
    if (known !== undefined) return known.doc as D;
    const { make, updatesOf, timers, onTrouble } = this.#options;
    const doc = new yjs.Doc();
    let gathered: Uint8Array[] = [];
    let cancel: Cancel | undefined;
    /** Something was refused for good. What follows builds on it, and would show nowhere without it. */
    let isLacking = false;
    const failed = (update: Uint8Array, error: unknown): void => {
      if (!(error instanceof HubError)) throw error;
      if (error.code === 'client.closed') return;
      if (NO_ROOM.has(error.code)) {
        gathered.unshift(update);
        cancel ??= timers.after(RETRY_MS, flush);
      } else isLacking = true;
      onTrouble(error);
    };
    const flush = (): void => {
      cancel?.();
      cancel = undefined;
      const updates =
        isLacking && gathered.length > 0 ? [lacking(doc, updatesOf(key), yjs)] : gathered;
      gathered = [];
      isLacking = false;
      for (const update of joined(updates, yjs)) {
        try {
          make(key, update).then(undefined, (error: unknown) => failed(update, error));
        } catch (error) {
          failed(update, error);
        }
      }
    };
    // Its own origin: what it applies itself is not to be made again.
    const apply = (update: Uint8Array): void => yjs.applyUpdate(doc, update, this);
    for (const update of updatesOf(key)) apply(update);
    doc.on('update', (update, origin) => {
      if (origin === this) return;
      gathered.push(update);
      cancel ??= timers.after(GATHER_MS, flush);
    });
    // Nobody hears any more what is typed into it.
    doc.on('destroy', () => {
      flush();
      this.#bound.delete(key);
    });
    this.#bound.set(key, { doc, apply, flush });
    return doc;
  }

  /** What somebody made of the document. */
  take(key: string, update: Uint8Array): void {
    this.#bound.get(key)?.apply(update);
  }

  /** Makes ops of all that is gathered. */
  flush(): void {
    for (const { flush } of this.#bound.values()) flush();
  }
}

/** All of the document that is not known: what has been deleted since is hardly anything. */
function lacking<D extends YDoc>(
  doc: D,
  known: readonly Uint8Array[],
  yjs: YModule<D>,
): Uint8Array {
  const given = yjs.mergeUpdates([...known]);
  return yjs.encodeStateAsUpdate(doc, yjs.encodeStateVectorFromUpdate(given));
}

function joined<D extends YDoc>(updates: Uint8Array[], yjs: YModule<D>): Uint8Array[] {
  const bytes = updates.reduce((sum, { length }) => sum + length, 0);
  return updates.length < 2 || bytes > MERGED_BYTES_MAX ? updates : [yjs.mergeUpdates(updates)];
}
