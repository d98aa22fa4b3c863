/**
 * Brotli at quality 5, or zstd where Node has it (from 22.15 on): beyond these, bytes cost more energy to squeeze than to
 * send. In production it runs on the thread pool, away from the acknowledgements; simulated time has no threads, so
 * there it runs inline.
 */
import * as zlib from 'node:zlib';

import { AssertionError } from '../base/assert.ts';

export type Compression = 'none' | 'brotli' | 'zstd';
/** By their numbers in manifests and greetings. */
export const COMPRESSIONS: readonly Compression[] = ['none', 'brotli', 'zstd'];

/** How bytes are compressed, where they are. */
type Squeeze = Exclude<Compression, 'none'>;

export interface Compressor {
  /** Brotli, unless another way is named. */
  compress(raw: Uint8Array, squeeze?: Squeeze): Promise<Uint8Array>;
  /** The `rawBytes` bytes that were compressed; undefined for a damaged stream, or one that holds any other count. */
  decompress(
    compressed: Uint8Array,
    rawBytes: number,
    squeeze?: Squeeze,
  ): Promise<Uint8Array | undefined>;
}

type Done = (error: Error | null, bytes: Uint8Array) => void;

/** One way of compressing, on the thread pool and at once. */
interface Codec {
  compress(raw: Uint8Array, done: Done): void;
  compressSync(raw: Uint8Array): Uint8Array;
  /** One byte of output more than promised ends it: no bomb gets further than that. */
  decompress(compressed: Uint8Array, bytesMax: number, done: Done): void;
  decompressSync(compressed: Uint8Array, bytesMax: number): Uint8Array;
}

interface OutputLimit {
  readonly maxOutputLength: number;
}

/** What `node:zlib` has of zstd, where it has it; not known to the types of older versions. */
interface ZstdFunctions {
  readonly zstdCompress: (raw: Uint8Array, done: Done) => void;
  readonly zstdCompressSync: (raw: Uint8Array) => Uint8Array;
  readonly zstdDecompress: (bytes: Uint8Array, limit: OutputLimit, done: Done) => void;
  readonly zstdDecompressSync: (bytes: Uint8Array, limit: OutputLimit) => Uint8Array;
}

const QUALITY = 5;
const { constants } = zlib;

function brotliOptions(rawBytes: number): { params: Record<number, number> } {
  return {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: rawBytes,
    },
  };
}

const BROTLI: Codec = {
  compress: (raw, done) => zlib.brotliCompress(raw, brotliOptions(raw.length), done),
  compressSync: (raw) => zlib.brotliCompressSync(raw, brotliOptions(raw.length)),
  decompress: (bytes, maxOutputLength, done) =>
    zlib.brotliDecompress(bytes, { maxOutputLength }, done),
  decompressSync: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
};

const ZSTD = zstdOf(zlib as Partial<ZstdFunctions>);

function zstdOf(functions: Partial<ZstdFunctions>): Codec | undefined {
  if (functions.zstdCompress === undefined) return undefined;
  const { zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } =
    functions as ZstdFunctions;
  return {
    compress: (raw, done) => zstdCompress(raw, done),
    compressSync: (raw) => zstdCompressSync(raw),
    decompress: (bytes, maxOutputLength, done) => zstdDecompress(bytes, { maxOutputLength }, done),
    decompressSync: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
  };
}

/** What this program can read and write on this Node. */
export const KNOWN_COMPRESSIONS: readonly Compression[] =
  ZSTD === undefined ? ['none', 'brotli'] : COMPRESSIONS;

/** How to compress for somebody who reads these: brotli, the smaller one, before zstd. */
export function compressionFor(reads: readonly Compression[]): Compression {
  if (reads.includes('brotli')) return 'brotli';
  return reads.includes('zstd') && ZSTD !== undefined ? 'zstd' : 'none';
}

function codecOf(squeeze: Squeeze): Codec {
  if (squeeze === 'brotli') return BROTLI;
  if (ZSTD === undefined)
    throw new AssertionError('nothing is compressed in a way that is not known');
  return ZSTD;
}

export const threadedCompressor: Compressor = {
  compress: (raw, squeeze = 'brotli') =>
    new Promise((resolve, reject) => {
      codecOf(squeeze).compress(raw, (error, compressed) => {
        if (error === null) resolve(compressed);
        else reject(error);
      });
    }),
  decompress: (compressed, rawBytes, squeeze = 'brotli') =>
    new Promise((resolve) => {
      codecOf(squeeze).decompress(compressed, Math.max(1, rawBytes), (error, raw) => {
        resolve(error === null && raw.length === rawBytes ? raw : undefined);
      });
    }),
};

export const inlineCompressor: Compressor = {
  compress: (raw, squeeze = 'brotli') => Promise.resolve(codecOf(squeeze).compressSync(raw)),
  decompress: (compressed, rawBytes, squeeze = 'brotli') => {
    try {
      const raw = codecOf(squeeze).decompressSync(compressed, Math.max(1, rawBytes));
      return Promise.resolve(raw.length === rawBytes ? raw : undefined);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      return Promise.resolve(undefined);
    }
  },
};
