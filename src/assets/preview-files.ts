/**
 * Previews of contents: small pictures, each in a file whose name says what it shows and how large it is. They can be
 * made anew or come again, so they are checked by nobody, and at the limit the oldest give way.
 */
import type { AssetPreview, PreviewType } from '../model/asset-bytes.ts';
import type { Files } from '../platform/files/files.ts';
import type { ContentId } from './content-id.ts';

interface PreviewFacts {
  readonly type: PreviewType;
  readonly width: number;
  readonly height: number;
}

const NAME = /^([0-9a-f]{64})\.([1-9][0-9]{0,3})x([1-9][0-9]{0,3})\.(jpg|png)$/;

export class PreviewFiles {
  readonly #files: Files;
  readonly #dir: string;
  readonly #countMax: number;
  readonly #facts = new Map<ContentId, PreviewFacts>();
  #isDirty = false;

  constructor(files: Files, dir: string, countMax: number) {
    this.#files = files;
    this.#dir = dir;
    this.#countMax = countMax;
    files.makeDir(dir);
    for (const name of files.list(dir)) {
      const [, id, width, height, ending] = NAME.exec(name) ?? [];
      if (id === undefined) continue;
      const type = ending === 'png' ? 'image/png' : 'image/jpeg';
      this.#facts.set(id as ContentId, { type, width: Number(width), height: Number(height) });
    }
  }

  get count(): number {
    return this.#facts.size;
  }

  facts(id: ContentId): PreviewFacts | undefined {
    return this.#facts.get(id);
  }

  /** Undefined where there is none. */
  read(id: ContentId): Uint8Array | undefined {
    const facts = this.#facts.get(id);
    const bytes = facts === undefined ? undefined : this.#files.read(this.#pathOf(id, facts));
    if (bytes === undefined) this.#facts.delete(id);
    return bytes;
  }

  /** Keeps a preview; the first of a content stays. */
  put(id: ContentId, { type, width, height, data }: AssetPreview): void {
    if (this.#facts.has(id)) return;
    for (const [oldest, facts] of this.#facts) {
      if (this.#facts.size < this.#countMax) break;
      this.#files.remove(this.#pathOf(oldest, facts));
      this.#facts.delete(oldest);
    }
    const facts = { type, width, height };
    const file = this.#files.open(this.#pathOf(id, facts), 'create');
    try {
      file.writeAt(data, 0);
      file.datasyncNow();
    } finally {
      file.close();
    }
    this.#facts.set(id, facts);
    this.#isDirty = true;
  }

  /** Makes the names durable. */
  syncNow(): void {
    if (!this.#isDirty) return;
    this.#files.syncDir(this.#dir);
    this.#isDirty = false;
  }

  #pathOf(id: ContentId, { type, width, height }: PreviewFacts): string {
    return `${this.#dir}/${id}.${width}x${height}.${type === 'image/png' ? 'png' : 'jpg'}`;
  }
}
