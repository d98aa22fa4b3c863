/**
 * The page's files, read once at the start and served from memory with their hash as ETag, packed where the
 * browser takes it. A missing folder is no fault, nor is one, or a file, that the card does not give: the API works without the page.
 */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import { messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Files } from '../../platform/files/files.ts';
import { isKnown } from './known.ts';
import { takenIn } from './taken.ts';

interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  webmanifest: 'application/manifest+json',
};

export class PageFiles {
  readonly #fileByPath = new Map<string, PageFile>();

  /** `dir` holds the pages and what they name, `index` stands at `/`; nothing below it is looked at later. */
  constructor(
    files: Pick<Files, 'read' | 'list'>,
    dir: string,
    { log, index = 'index.html' }: { readonly log: Log; readonly index?: string },
  ) {
    for (const name of given(dir, log, () => files.list(dir)) ?? []) {
      const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
      const path = `${dir}/${name}`;
      const content = type === undefined ? undefined : given(path, log, () => files.read(path));
      if (type === undefined || content === undefined) continue;
      const bytes = new Uint8Array(content);
      const packed = new Uint8Array(gzipSync(bytes, { level: 9 }));
      const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
      this.#fileByPath.set(pathOf(name, index), { bytes, packed, type, etag });
    }
  }

  /** The answer for a path, or undefined where no file of the page has it. */
  answer(path: string, request: Headers): Response | undefined {
    const file = this.#fileByPath.get(path);
    if (file === undefined) return undefined;
    const headers: Record<string, string> = {
      'Content-Type': file.type,
      ETag: file.etag,
      'Cache-Control': 'no-cache',
      Vary: 'Accept-Encoding',
    };
    if (isKnown(request, file.etag)) return new Response(null, { status: 304, headers });
    if (!takenIn(request.get('accept-encoding') ?? '').includes('gzip'))
      return new Response(file.bytes, { headers });
    return new Response(file.packed, { headers: { ...headers, 'Content-Encoding': 'gzip' } });
  }
}

/** What the card gives; undefined where it does not. */
function given<T>(path: string, log: Log, ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    log.error('page.unreadable', { path, reason: messageOf(error) });
    return undefined;
  }
}

/** Pages have addresses without an ending. */
function pathOf(name: string, index: string): string {
  return name === index ? '/' : `/${name.replace(/\.html$/, '')}`;
}
