/**
 * Assets over HTTP: the latest ones, contents by their hash (with ETag, single ranges and a preview for `?width=`), and
 * uploads, whole or in parts that go on after a cut. What is served came from devices: only what a browser shows without
 * running it is shown, all else is a download.
 */
import type { JsonValue } from '../../codec/json.ts';
import { isMediaType } from '../../model/media-type.ts';
import type { Role } from '../../model/op.ts';
import { jsonAnswer } from '../http/answers.ts';
import { type ByteRange, contentRangeOf, rangeOf } from '../http/byte-range.ts';
import { type HttpPrincipal, type MayRead, refuseStrangeOrigin } from '../http/login.ts';
import { isKnown } from '../http/known.ts';
import { problem, type ProblemStatus } from '../http/problem.ts';
import { takenIn } from '../http/taken.ts';

type JsonObject = Readonly<Record<string, JsonValue>>;

/** A content that is open for reading. */
export interface OpenContent {
  readonly size: number;
  /** Fills `into` from `offset`; fewer bytes at the end alone. */
  readAt(into: Uint8Array, offset: number): number | Promise<number>;
  close(): void;
}

/** What is known of a content: from the versions that name it, and from what is here. */
export interface ContentFacts {
  /** Records whose assets have, or had, this content. */
  readonly keys: readonly string[];
  readonly type: string;
  readonly size: number;
  readonly state: 'whole' | 'partial' | 'missing';
  readonly receivedBytes: number;
}

export type PreviewOutcome =
  | {
      readonly kind: 'ready';
      readonly type: string;
      readonly width: number;
      readonly height: number;
      readonly bytes: Uint8Array;
    }
  /** Not now; worth asking again. */
  | { readonly kind: 'later'; readonly reason: string }
  | { readonly kind: 'never'; readonly reason: string };

/** What somebody wants to put in; hints as they stood in the address. */
export interface AssetWish {
  readonly key: string;
  readonly type: string;
  readonly hints: {
    readonly base: string | null;
    readonly note: string | null;
    readonly tags: string | null;
    readonly region: string | null;
  };
  readonly role: Role;
  /** Hash that the content must have; undefined: whatever it has. */
  readonly sha256: string | undefined;
  readonly range: ByteRange;
  readonly body: AsyncIterable<Uint8Array>;
}

export type Received =
  | { readonly kind: 'stored'; readonly answer: JsonObject }
  | { readonly kind: 'partial'; readonly received: number }
  | {
      readonly kind: 'refused';
      readonly status: ProblemStatus;
      readonly reason: string;
      readonly received?: number;
    };

export interface AssetDoor {
  /** Versions that stand, the newest first. */
  latest(limit: number, mayRead: MayRead): readonly JsonObject[];
  /** Undefined where no version names it and nothing of it is here. */
  facts(sha256: string): ContentFacts | undefined | Promise<ContentFacts | undefined>;
  /** Undefined where it is not here, or was found damaged. */
  open(sha256: string): Promise<OpenContent | undefined>;
  /** Made now where it is not here yet and the battery allows. */
  preview(sha256: string): Promise<PreviewOutcome>;
  receive(wish: AssetWish): Promise<Received>;
}

/** What a region serves of it. */
export type ContentDoor = Omit<AssetDoor, 'receive' | 'latest'>;

/** Widest preview; who wants more gets the original. */
const PREVIEW_WIDTH = 320;
const LATEST_MAX = 200;
const SLICE_BYTES = 256 << 10;
/** Types that browsers show and never run. */
const SHOWN = /^(image\/(jpeg|png|webp|gif|avif|heic)|audio\/[a-z0-9.+-]+|video\/[a-z0-9.+-]+)$/;

/** `?limit=`: the latest assets. */
export function assetsAnswer(door: AssetDoor, url: URL, mayRead: MayRead): Response {
  const text = url.searchParams.get('limit') ?? '50';
  const limit = /^[1-9]\d{0,3}$/.test(text) ? Math.min(Number(text), LATEST_MAX) : undefined;
  if (limit === undefined) return problem(400, 'limit is a number from 1 on.');
  return jsonAnswer({ assets: door.latest(limit, mayRead) });
}

/** A content, a range of it, or with `?width=` its preview. */
export async function contentAnswer(
  door: ContentDoor,
  request: Request,
  mayRead: MayRead,
): Promise<Response> {
  const url = new URL(request.url);
  const id = idIn(url);
  if (id === undefined) return problem(400, 'The path ends with a SHA-256, 64 hex digits.');
  const facts = await door.facts(id);
  if (facts === undefined) return problem(404, `Nobody has named the content ${id} here.`);
  if (!facts.keys.some((key) => mayRead(key))) return problem(403, 'You may not read this asset.');
  const width = url.searchParams.get('width');
  if (width === null) return originalAnswer(door, request, id, facts);
  if (!/^[1-9]\d{0,4}$/.test(width))
    return problem(400, 'width is a number of pixels, such as 320.');
  if (!facts.type.startsWith('image/'))
    return problem(404, `There is no preview: ${facts.type} is no picture.`);
  if (Number(width) > PREVIEW_WIDTH) return originalAnswer(door, request, id, facts);
  return previewAnswer(door, request, id);
}

async function previewAnswer(door: ContentDoor, request: Request, id: string): Promise<Response> {
  const found = await door.preview(id);
  if (found.kind === 'later') return problem(503, `${found.reason}.`, { 'Retry-After': '60' });
  if (found.kind === 'never') return problem(404, `There is no preview: ${found.reason}.`);
  if (!accepts(request, found.type)) return problem(406, `The preview is ${found.type}.`);
  const etag = `"${id}-${found.width}x${found.height}"`;
  const headers = { ...kept(etag), 'Content-Type': found.type };
  if (isKnown(request.headers, etag)) return new Response(null, { status: 304, headers });
  return new Response(found.bytes as Uint8Array<ArrayBuffer>, { headers });
}

async function originalAnswer(
  door: ContentDoor,
  request: Request,
  id: string,
  facts: ContentFacts,
): Promise<Response> {
  const etag = `"${id}"`;
  if (isKnown(request.headers, etag))
    return new Response(null, { status: 304, headers: kept(etag) });
  const content = await door.open(id);
  if (content === undefined) return absent(id, facts);
  const { size } = content;
  const headers: Record<string, string> = {
    ...kept(etag),
    'Content-Type': facts.type,
    'Accept-Ranges': 'bytes',
    ...(SHOWN.test(facts.type) ? {} : { 'Content-Disposition': 'attachment' }),
  };
  const condition = request.headers.get('if-range') ?? etag;
  const range = condition === etag ? rangeOf(request.headers.get('range'), size) : undefined;
  if (range === 'unsatisfiable') {
    content.close();
    return problem(416, `It has ${size} bytes.`, { 'Content-Range': `bytes */${size}` });
  }
  const { from, to } = range ?? { from: 0, to: size - 1 };
  headers['Content-Length'] = String(to - from + 1);
  if (range !== undefined) headers['Content-Range'] = `bytes ${from}-${to}/${size}`;
  const status = range === undefined ? 200 : 206;
  if (request.method !== 'HEAD')
    return new Response(streamOf(content, from, to), { status, headers });
  content.close();
  return new Response(null, { status, headers });
}

function absent(id: string, { state, receivedBytes, size }: ContentFacts): Response {
  if (state === 'partial') {
    return problem(404, `Of ${id}, ${receivedBytes} of ${size} bytes have come; ask again later.`);
  }
  return problem(
    404,
    `The version is known, its ${size} bytes are not here: not yet, or not any more.`,
  );
}

/** Read as the other side takes it. */
function streamOf(content: OpenContent, from: number, to: number): ReadableStream<Uint8Array> {
  let offset = from;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const slice = new Uint8Array(Math.min(SLICE_BYTES, to + 1 - offset));
        const count = slice.length === 0 ? 0 : await content.readAt(slice, offset);
        offset += count;
        if (count > 0) controller.enqueue(slice.subarray(0, count));
        if (count > 0 && offset <= to) return;
        content.close();
        controller.close();
      },
      cancel: () => content.close(),
    },
    { highWaterMark: 0 },
  );
}

/** `POST /api/v1/assets` and `PUT /api/v1/assets/<sha256>`: one asset, or with `Content-Range` a part of it. */
export async function receiveAnswer(
  door: AssetDoor,
  request: Request,
  principal: HttpPrincipal | undefined,
  mayRead: MayRead,
): Promise<Response> {
  const refusal = refuseStrangeOrigin(request) ?? refuseForm(request);
  if (refusal !== undefined) return refusal;
  if (principal?.role === 'device') {
    return problem(403, 'Only people of the site may put assets in here; devices send ops.');
  }
  const url = new URL(request.url);
  const id = request.method === 'PUT' ? idIn(url) : undefined;
  if (request.method === 'PUT' && id === undefined) {
    return problem(400, 'The path ends with the SHA-256 of the content, 64 hex digits.');
  }
  const key = url.searchParams.get('key') ?? '';
  if (key === '') return problem(400, 'Say whose asset it is: ?key=order/17/photo');
  if (!mayRead(key)) return problem(403, `You may not write ${key}.`);
  const range = contentRangeOf(request.headers);
  if (range === undefined || range.size === 0) {
    return problem(400, 'Say how long it is: Content-Length, or Content-Range: bytes 0-99/1000.');
  }
  const isPart = range.from !== 0 || range.to !== range.size;
  if (isPart && id === undefined) return problem(400, 'Parts go to PUT /api/v1/assets/<sha256>.');
  const hint = (name: string): string | null => url.searchParams.get(name);
  const received = await door.receive({
    key,
    type: typeIn(request),
    hints: { base: hint('base'), note: hint('note'), tags: hint('tags'), region: hint('region') },
    role: principal?.role ?? 'operator',
    sha256: id,
    range,
    body: request.body ?? NO_BODY,
  });
  if (received.kind === 'stored') return jsonAnswer(received.answer, 201);
  if (received.kind === 'partial') {
    const { size } = range;
    return jsonAnswer({ received: received.received, size }, 202);
  }
  const from = received.received;
  const headers = from === undefined ? {} : { 'Upload-Offset': String(from) };
  return problem(received.status, `${received.reason}.`, headers);
}

const NO_BODY: AsyncIterable<Uint8Array> = {
  // oxlint-disable-next-line require-yield -- there is nothing in it
  async *[Symbol.asyncIterator]() {
    return;
  },
};

/** What forms can send from other sites without asking first. */
function refuseForm(request: Request): Response | undefined {
  const isForm = /^(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\b/i;
  return request.method === 'POST' &&
    isForm.test(request.headers.get('content-type') ?? 'text/plain')
    ? problem(415, 'Say what it is: Content-Type, such as image/jpeg; no form, and text by PUT.')
    : undefined;
}

function typeIn(request: Request): string {
  const type =
    (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  return isMediaType(type) ? type : 'application/octet-stream';
}

function idIn(url: URL): string | undefined {
  return /^\/api\/v1\/assets\/([0-9a-f]{64})$/.exec(url.pathname)?.[1];
}

/** A hash always has the same bytes. */
function kept(etag: string): Record<string, string> {
  return { ETag: etag, 'Cache-Control': 'private, max-age=31536000, immutable', Vary: 'Accept' };
}

function accepts(request: Request, type: string): boolean {
  const taken = takenIn(request.headers.get('accept') ?? '*/*');
  return ['*/*', type, `${type.split('/')[0]}/*`].some((range) => taken.includes(range));
}
