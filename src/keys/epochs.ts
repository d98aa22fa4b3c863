/**
 * The data keys of the journal, by epoch, each in a file of its own below `keys/epochs`. A key is random, is made for
 * one run of one hub, and is never used again after it: so nothing that is sealed under it can meet a nonce that
 * an earlier run, a restored card or a cloned one has used.
 *
 * Shredding: when nothing that is sealed under a key has to be read any more, its file is written over, synced,
 * removed, and the folder synced; then the old bytes in recycled segments are noise. A flash card may keep a page
 * that was written over; what it shows then is a key wrapped to the hub's key-encryption key, which belongs
 * into a TPM where that matters (systemd credential `hub-kek`).
 */
import { bytesEqual, hexOf } from '../base/bytes.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Files } from '../platform/files/files.ts';
import { escrowWrap, type Kek, type KeyOpener } from './key-encryption.ts';
import { decodeKeyFile, encodeKeyFile, KEY_COPY_BYTES, type KeyRecord } from './key-file.ts';
import { DATA_KEY_BYTES, keyIdOf } from './wrapping.ts';

export interface DataKey {
  readonly epoch: number;
  readonly id: Uint8Array;
  readonly key: Uint8Array;
}

/** `why` is for the person who looks for the key. */
export type KeySearch =
  | { readonly kind: 'found'; readonly key: Uint8Array }
  | { readonly kind: 'missing'; readonly why: string };

interface EpochKeysOptions {
  readonly files: Files;
  /** Folder of the key files; made with the first key. */
  readonly dir: string;
  readonly log: Log;
  /** Whoever may open the keys. */
  readonly openers: readonly KeyOpener[];
}

export interface KeyMaking {
  readonly random: Random;
  readonly kek: Kek;
  /** The operator's X25519 public key, where one was given. */
  readonly escrowKey: Uint8Array | undefined;
}

const DATA_KEY_LABEL = 'heliograph data key';
const FILE_NAME = /^(\d{12})\.key$/;
const ZEROS = new Uint8Array(2 * KEY_COPY_BYTES);

export class EpochKeys {
  readonly #options: EpochKeysOptions;

  constructor(options: EpochKeysOptions) {
    this.#options = options;
  }

  /** Highest epoch that has a file; 0 for none. */
  get highestEpoch(): number {
    return Math.max(0, ...this.#epochs());
  }

  /** A new key for `epoch`; its file is durable when this returns. Throws what the disk throws. */
  create(epoch: number, { random, kek, escrowKey }: KeyMaking): DataKey {
    const { files, dir } = this.#options;
    const key = random.bytes(DATA_KEY_BYTES);
    const id = keyIdOf(DATA_KEY_LABEL, key);
    const record = { epoch, keyId: id };
    const escrow =
      escrowKey === undefined
        ? undefined
        : { publicKey: escrowKey, wrapped: escrowWrap(escrowKey, record, key, random) };
    files.makeDir(dir);
    files.replace(
      this.#path(epoch),
      encodeKeyFile({ ...record, ...kek.wrap(record, key, random), escrow }),
    );
    return { epoch, id, key };
  }

  /** The key with this id, which segment headers name beside the epoch. */
  find(epoch: number, id: Uint8Array): KeySearch {
    const path = this.#path(epoch);
    const bytes = this.#options.files.read(path);
    if (bytes === undefined) return missing(`${path} is not there`);
    const records = decodeKeyFile(bytes);
    const named = records.filter((record) => bytesEqual(record.keyId, id));
    for (const record of named) {
      const key = this.#openRecord(record);
      if (key !== undefined) return { kind: 'found', key };
    }
    if (records.length === 0) return missing(`${path} is damaged`);
    const [first] = named;
    if (first === undefined) return missing(`${path} holds another key than ${hexOf(id)}`);
    return missing(`${path} is wrapped to the key-encryption key ${hexOf(first.kekId)}`);
  }

  /** Destroys every key whose epoch is not in use. What cannot be destroyed is tried again the next time. */
  keepOnly(isInUse: (epoch: number) => boolean): void {
    const { files, dir, log } = this.#options;
    const epochs = this.#epochs().filter((epoch) => !isInUse(epoch));
    for (const epoch of epochs) {
      try {
        this.#destroy(this.#path(epoch));
      } catch (error) {
        log.warn('keys.not-destroyed', { epoch, reason: messageOf(error) });
      }
    }
    if (epochs.length === 0) return;
    try {
      files.syncDir(dir);
      log.info('keys.destroyed', { epochs: epochs.join(' ') });
    } catch (error) {
      log.warn('keys.not-destroyed', { reason: messageOf(error) });
    }
  }

  #openRecord(record: KeyRecord): Uint8Array | undefined {
    for (const opener of this.#options.openers) {
      const key = opener.open(record);
      const isRight = key !== undefined && bytesEqual(keyIdOf(DATA_KEY_LABEL, key), record.keyId);
      if (isRight) return key;
    }
    return undefined;
  }

  #destroy(path: string): void {
    const { files } = this.#options;
    const file = files.open(path, 'update');
    try {
      file.writeAt(ZEROS, 0);
      file.datasyncNow();
    } finally {
      file.close();
    }
    files.remove(path);
  }

  #epochs(): number[] {
    const { files, dir } = this.#options;
    return files.list(dir).flatMap((name) => {
      const digits = FILE_NAME.exec(name)?.[1];
      return digits === undefined ? [] : [Number(digits)];
    });
  }

  #path(epoch: number): string {
    return `${this.#options.dir}/${String(epoch).padStart(12, '0')}.key`;
  }
}

function missing(why: string): KeySearch {
  return { kind: 'missing', why };
}
