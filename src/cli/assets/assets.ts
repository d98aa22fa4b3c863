/** `heliograph assets …`: what assets there are, contents in and out, and conflicts between versions. */
import { createHash } from 'node:crypto';

import { hashFile } from '../../assets/hash-file.ts';
import { HubError, systemCode } from '../../base/errors.ts';
import type { OpenFile } from '../../platform/files/files.ts';
import { type Args, UsageError } from '../args.ts';
import { HubApi } from '../asking/hub-api.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { type AssetDocument, assetText } from '../asking/records.ts';
import { columns, printable } from '../text.ts';

interface AssetRow extends AssetDocument {
  readonly key: string;
  readonly at: string;
  readonly content: string;
  readonly preview: boolean;
}

interface Known {
  readonly received?: number;
}

/** What one request carries: less than the hub takes of any body. */
const PART_BYTES = 512 << 10;
const TYPES: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  pdf: 'application/pdf',
  mp4: 'video/mp4',
  ogg: 'audio/ogg',
  mp3: 'audio/mpeg',
  txt: 'text/plain',
  json: 'application/json',
};
const CREATED = 201;
const ACCEPTED = 202;

export async function listAssets(args: Args, io: CliIo): Promise<void> {
  const limit = encodeURIComponent(args.text('limit') ?? '50');
  const found = (await HubApi.of(args, io).json(`/api/v1/assets?limit=${limit}`)) as {
    assets: readonly AssetRow[];
  };
  const rows = found.assets.map((asset) => [
    asset.at,
    printable(asset.key),
    asset.content === 'whole' ? 'here' : asset.content,
    asset.preview ? 'preview' : '',
    assetText(asset),
  ]);
  print(args, io, found, () => columns(rows));
}

export async function putAsset(args: Args, io: CliIo): Promise<void> {
  const [key, path] = [args.operand(0), args.operand(1)];
  const file = openFile(io, path);
  try {
    const size = file.size();
    if (size === 0) throw new UsageError(`${path} is empty`);
    const sha256 = await hashFile(file, size, io.timers);
    const address = `/api/v1/assets/${sha256}?${hintsOf(args, key).toString()}`;
    const headers = { 'content-type': args.text('type') ?? typeOf(path) };
    const upload = { address, headers, file, size, signal: io.signal };
    const document = (await send(HubApi.of(args, io), upload)) as AssetDocument;
    print(args, io, document, () => [`${printable(key)} is ${assetText(document)} now.`]);
  } finally {
    file.close();
  }
}

interface Upload {
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly file: OpenFile;
  readonly size: number;
  readonly signal: AbortSignal;
}

/** Asks what is there, sends the rest in parts; the answer to the last one. */
async function send(api: HubApi, upload: Upload): Promise<unknown> {
  const { address, headers, file, size, signal } = upload;
  const asked = { ...headers, 'content-range': `bytes */${size}` };
  let answer = await api.exchange('PUT', address, asked, new Uint8Array(0), [CREATED, ACCEPTED]);
  while (answer.status === ACCEPTED) {
    if (signal.aborted)
      throw new HubError('hub.declined', 'it was broken off; put it again to go on');
    const { received = 0 } = answer.json() as Known;
    const part = new Uint8Array(Math.min(PART_BYTES, size - received));
    file.readAt(part, received);
    const range = `bytes ${received}-${received + part.length - 1}/${size}`;
    const partHeaders = { ...headers, 'content-range': range };
    answer = await api.exchange('PUT', address, partHeaders, part, [CREATED, ACCEPTED]);
  }
  return answer.json();
}

export async function getAsset(args: Args, io: CliIo): Promise<void> {
  const [name, path] = [args.operand(0), args.operand(1)];
  const api = HubApi.of(args, io);
  const sha256 = /^[0-9a-f]{64}$/.test(name) ? name : await hashOfRecord(api, name);
  if (io.files.exists(path)) throw new UsageError(`${path} is there already`);
  // Half of it, where somebody ends this, must not pass for the whole.
  const beside = `${path}.new`;
  const file = createFile(io, beside);
  try {
    const isPreview = args.has('preview');
    const size = isPreview
      ? await writePreview(api, sha256, file)
      : await writeContent(api, sha256, file);
    file.datasyncNow();
    io.files.rename(beside, path);
    print(args, io, { sha256, size, file: path }, () => [`${path}: ${size} bytes.`]);
  } catch (error) {
    io.files.remove(beside);
    throw error;
  } finally {
    file.close();
  }
}

async function hashOfRecord(api: HubApi, key: string): Promise<string> {
  const record = (await api.json(`/api/v1/records/${encodeURIComponent(key)}`)) as {
    asset?: AssetDocument;
  };
  if (record.asset === undefined) throw new HubError('hub.declined', `${key} has no asset`);
  return record.asset.sha256;
}

async function writePreview(api: HubApi, sha256: string, file: OpenFile): Promise<number> {
  const path = `/api/v1/assets/${sha256}?width=320`;
  const { bytes } = await api.exchange('GET', path, {}, undefined, [200]);
  file.writeAt(bytes, 0);
  return bytes.length;
}

async function writeContent(api: HubApi, sha256: string, file: OpenFile): Promise<number> {
  const hash = createHash('sha256');
  const path = `/api/v1/assets/${sha256}`;
  let size = Infinity;
  let offset = 0;
  while (offset < size) {
    const headers = { range: `bytes=${offset}-${offset + PART_BYTES - 1}` };
    const answer = await api.exchange('GET', path, headers, undefined, [206]);
    size = Number(/\/(\d+)$/.exec(answer.contentRange)?.[1] ?? Number.NaN);
    if (!Number.isSafeInteger(size) || answer.bytes.length === 0) break;
    file.writeAt(answer.bytes, offset);
    hash.update(answer.bytes);
    offset += answer.bytes.length;
  }
  if (hash.digest('hex') === sha256) return offset;
  throw new HubError('assets.damaged', `what came is not ${sha256}`);
}

export async function resolveAsset(args: Args, io: CliIo): Promise<void> {
  const wish = { key: args.operand(0), field: '', value: args.operand(1) };
  const done = (await HubApi.of(args, io).post('/api/v1/conflicts/resolve', wish)) as {
    sha256: string;
  };
  print(args, io, done, () => [`The asset of ${printable(wish.key)} is ${done.sha256} now.`]);
}

function hintsOf(args: Args, key: string): URLSearchParams {
  const query = new URLSearchParams({ key });
  for (const name of ['note', 'tags', 'region', 'base']) {
    const value = args.text(name);
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

function typeOf(path: string): string {
  const ending = /\.([A-Za-z0-9]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  return TYPES[ending] ?? 'application/octet-stream';
}

function openFile(io: CliIo, path: string): OpenFile {
  try {
    return io.files.open(path, 'read');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new UsageError(`${path} cannot be read`);
  }
}

function createFile(io: CliIo, path: string): OpenFile {
  try {
    return io.files.open(path, 'create');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new UsageError(`${path} cannot be written`);
  }
}
