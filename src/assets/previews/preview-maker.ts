/**
 * Decides which previews are made, and when: one at a time, of contents that are whole, while the battery allows
 * (`mayMake`). What cannot have one is remembered, so that nobody tries twice.
 */
import { messageOf } from '../../base/errors.ts';
import { addTo } from '../../base/groups.ts';
import type { Log } from '../../base/log.ts';
import { type AssetPreview, PREVIEW_BYTES_MAX } from '../../model/asset-bytes.ts';
import type { BlobStore } from '../blob-store.ts';
import { bytesOfContentId, type ContentId } from '../content-id.ts';
import type { MadePreview, PreviewOrder } from './make-preview.ts';

interface PreviewMakerOptions {
  readonly blobs: Pick<BlobStore, 'read' | 'previews' | 'stateOf'>;
  readonly pixelsMax: number;
  readonly mayMake: () => boolean;
  /** Makes one, off the event loop. */
  readonly make: (order: PreviewOrder) => Promise<MadePreview>;
  /** Takes the preview where it is asked for by somebody: into the journal and the blob store. */
  readonly keep: (id: ContentId, preview: AssetPreview) => Promise<void>;
  readonly log: Log;
}

const PREVIEW_WIDTH_MAX = 320;
const PREVIEW_HEIGHT_MAX = 480;
/** Compressed pictures that are read into memory. */
const SOURCE_BYTES_MAX = 32 << 20;
const WANTED_MAX = 1_000;
const NEVER_MAX = 1_000;

export class PreviewMaker {
  readonly #options: PreviewMakerOptions;
  readonly #wanted = new Set<ContentId>();
  readonly #never = new Map<ContentId, string>();
  readonly #waiters = new Map<ContentId, (() => void)[]>();
  #working: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: PreviewMakerOptions) {
    this.#options = options;
  }

  /** Why the content will never have one, or undefined. */
  neverReason(id: ContentId): string | undefined {
    return this.#options.pixelsMax === 0 ? 'this hub makes none' : this.#never.get(id);
  }

  /** Has one made when it may be. */
  want(id: ContentId): void {
    if (this.#wanted.size >= WANTED_MAX || this.neverReason(id) !== undefined) return;
    if (this.#options.blobs.previews.facts(id) !== undefined) return;
    this.#wanted.add(id);
    this.look();
  }

  /** Resolves when it was made, or could not be. */
  async made(id: ContentId): Promise<void> {
    this.want(id);
    if (!this.#wanted.has(id)) return;
    await new Promise<void>((resolve) => addTo(this.#waiters, id, resolve));
  }

  /** Goes on where there is something to do and the battery allows. */
  look(): void {
    if (this.#working !== undefined || this.#isClosed || this.#wanted.size === 0) return;
    if (!this.#options.mayMake()) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#working;
  }

  async #work(): Promise<void> {
    for (const id of this.#wanted) {
      if (this.#isClosed || !this.#options.mayMake()) return;
      try {
        await this.#makeOne(id);
      } catch (error) {
        this.#options.log.warn('assets.preview-failed', { content: id, reason: messageOf(error) });
        this.#refuse(id, messageOf(error));
      }
      this.#wanted.delete(id);
      for (const resolve of this.#waiters.get(id) ?? []) resolve();
      this.#waiters.delete(id);
    }
  }

  async #makeOne(id: ContentId): Promise<void> {
    const { blobs, make, keep, pixelsMax } = this.#options;
    if (blobs.previews.facts(id) !== undefined) return;
    const { state, bytes: size } = blobs.stateOf(id);
    if (state !== 'whole') return;
    if (size > SOURCE_BYTES_MAX) return this.#refuse(id, `${size} bytes are too many`);
    const content = await blobs.read(id);
    if (content === undefined) return;
    const bytes = new Uint8Array(content.size);
    content.readAt(bytes, 0);
    content.close();
    const limits = { widthMax: PREVIEW_WIDTH_MAX, heightMax: PREVIEW_HEIGHT_MAX, pixelsMax };
    const made = await make({ bytes, ...limits });
    if (made.kind === 'never') return this.#refuse(id, made.reason);
    const { width, height, data } = made;
    if (data.length > PREVIEW_BYTES_MAX) return this.#refuse(id, 'it is too large');
    await keep(id, { of: bytesOfContentId(id), type: 'image/jpeg', width, height, data });
  }

  #refuse(id: ContentId, reason: string): void {
    const [oldest] = this.#never.keys();
    if (this.#never.size >= NEVER_MAX && oldest !== undefined) this.#never.delete(oldest);
    this.#never.set(id, reason);
  }
}
