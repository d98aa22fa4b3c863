/**
 * Brotli at quality 5: beyond it, bytes cost more energy to squeeze than to send. In production it runs on
 * the thread pool, away from the acknowledgements; simulated time has no threads, so there it runs inline.
 */
import {
  brotliCompress,
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  constants,
} from 'node:zlib';

export type Compression = 'none' | 'brotli';
export const COMPRESSIONS: readonly Compression[] = ['none', 'brotli'];

export interface Compressor {
  compress(raw: Uint8Array): Promise<Uint8Array>;
  /** The `rawBytes` bytes that were compressed; undefined for a damaged stream, or one that holds any other count. */
  decompress(compressed: Uint8Array, rawBytes: number): Promise<Uint8Array | undefined>;
}

const QUALITY = 5;

function compressOptions(rawBytes: number): { params: Record<number, number> } {
  return {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: rawBytes,
    },
  };
}

/** One byte of output more than promised ends the decompression: no bomb gets further than that. */
function decompressOptions(rawBytes: number): { maxOutputLength: number } {
  return { maxOutputLength: Math.max(1, rawBytes) };
}

export const threadedBrotli: Compressor = {
  compress: (raw) =>
    new Promise((resolve, reject) => {
      brotliCompress(raw, compressOptions(raw.length), (error, compressed) => {
        if (error === null) resolve(compressed);
        else reject(error);
      });
    }),
  decompress: (compressed, rawBytes) =>
    new Promise((resolve) => {
      brotliDecompress(compressed, decompressOptions(rawBytes), (error, raw) => {
        resolve(error === null && raw.length === rawBytes ? raw : undefined);
      });
    }),
};

/** For a receiver that reads no compression. */
export const notCompressed: Pick<Compressor, 'compress'> = {
  compress: (raw) => Promise.resolve(raw),
};

export const inlineBrotli: Compressor = {
  compress: (raw) => Promise.resolve(brotliCompressSync(raw, compressOptions(raw.length))),
  decompress: (compressed, rawBytes) => {
    try {
      const raw = brotliDecompressSync(compressed, decompressOptions(rawBytes));
      return Promise.resolve(raw.length === rawBytes ? raw : undefined);
    } catch {
      return Promise.resolve(undefined);
    }
  },
};
