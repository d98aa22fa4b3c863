/**
 * Who can open the data keys of epochs: the hub, by its key-encryption key, and the operator, by the private half of
 * the escrow key. The key-encryption key is the systemd credential `hub-kek` where the unit gives one (sealed to a
 * TPM it is not on the card at all), else a file of mode 0600 beside the other keys, made at the first start.
 *
 * A hub that is moved from the file to a credential still opens what was wrapped to the file.
 */
import type { KeyObject } from 'node:crypto';

import { bytesEqual, bytesOfHex, hexOf, textOf, utf8 } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import { type Files, folderOf } from '../platform/files/files.ts';
import type { KeyRecord } from './key-file.ts';
import {
  DATA_KEY_BYTES,
  GCM_NONCE_BYTES,
  keyIdOf,
  openGcm,
  rawPublicKey,
  sealGcm,
  unwrapWithX25519,
  wrapToX25519,
  x25519PrivateKeyOf,
} from './wrapping.ts';

/** Gets the data key out of a record; undefined where it is wrapped to somebody else, or damaged. */
export interface KeyOpener {
  open(record: KeyRecord): Uint8Array | undefined;
}

/** A key-encryption key of the hub. */
export interface Kek extends KeyOpener {
  readonly id: Uint8Array;
  wrap(record: Pick<KeyRecord, 'epoch' | 'keyId'>, key: Uint8Array, random: Random): KekWrap;
}

type KekWrap = Pick<KeyRecord, 'kekId' | 'nonce' | 'wrapped'>;

const KEK_LABEL = 'heliograph key-encryption key';
const ESCROW_INFO = 'heliograph escrow 1';

export function kekOf(secret: Uint8Array): Kek {
  const id = keyIdOf(KEK_LABEL, secret);
  return {
    id,
    wrap: (record, key, random) => {
      const nonce = random.bytes(GCM_NONCE_BYTES);
      return { kekId: id, nonce, wrapped: sealGcm(secret, nonce, wrapAad(record), key) };
    },
    open: (record) =>
      bytesEqual(record.kekId, id)
        ? openGcm(secret, record.nonce, wrapAad(record), record.wrapped)
        : undefined,
  };
}

/** Wraps to the operator's public key, for the day on which the hub's own key is gone. */
export function escrowWrap(
  publicKey: Uint8Array,
  record: Pick<KeyRecord, 'epoch' | 'keyId'>,
  key: Uint8Array,
  random: Random,
): Uint8Array {
  return wrapToX25519(publicKey, ESCROW_INFO, wrapAad(record), key, random);
}

export function escrowOpener(privateKey: KeyObject): KeyOpener {
  const own = rawPublicKey(privateKey);
  return {
    open: (record) =>
      record.escrow !== undefined && bytesEqual(record.escrow.publicKey, own)
        ? unwrapWithX25519(privateKey, ESCROW_INFO, wrapAad(record), record.escrow.wrapped)
        : undefined,
  };
}

/** Of the operator's private key in a PEM file; throws `keys.damaged` where it holds none. */
export function readEscrowKey(files: Pick<Files, 'read'>, path: string): KeyOpener {
  const key = x25519PrivateKeyOf(textOf(files.read(path) ?? new Uint8Array(0)) ?? '');
  if (key === undefined) {
    throw new HubError('keys.damaged', `${path} is not an X25519 private key in PEM`);
  }
  return escrowOpener(key);
}

export interface KekPlace {
  readonly files: Pick<Files, 'read' | 'replace' | 'makeDir'>;
  /** File of the hub's own key. */
  readonly path: string;
  /** The credential `hub-kek`, where the unit gives one. */
  readonly credentialPath: string | undefined;
}

/** Every key-encryption key that is there, the one to wrap with first. Throws `keys.damaged`. */
export function findKeks({ files, path, credentialPath }: KekPlace): Kek[] {
  return [credentialPath, path].flatMap((each) => {
    const bytes = each === undefined ? undefined : files.read(each);
    return bytes === undefined ? [] : [kekOf(secretOf(bytes, each ?? ''))];
  });
}

/**
 * The same for a hub, which makes itself a key where it has none. Its file is written, and durable, when the key is used first:
 * a start that fails for want of the old one leaves none.
 */
export function openKeks(place: KekPlace, random: Random): [Kek, ...Kek[]] {
  const [first, ...others] = findKeks(place);
  if (first !== undefined) return [first, ...others];
  const secret = random.bytes(DATA_KEY_BYTES);
  const kek = kekOf(secret);
  let isKept = false;
  const keep = (): void => {
    if (isKept) return;
    place.files.makeDir(folderOf(place.path));
    place.files.replace(place.path, utf8(`${hexOf(secret)}\n`));
    isKept = true;
  };
  return [
    {
      id: kek.id,
      open: (record) => kek.open(record),
      wrap: (record, key, by) => {
        keep();
        return kek.wrap(record, key, by);
      },
    },
  ];
}

/** 32 bytes as they are, or as 64 hex digits: what `openssl rand` writes, either way. */
function secretOf(bytes: Uint8Array, path: string): Uint8Array {
  if (bytes.length === DATA_KEY_BYTES) return bytes;
  const secret = bytesOfHex((textOf(bytes) ?? '').trim());
  if (secret?.length !== DATA_KEY_BYTES) {
    throw new HubError('keys.damaged', `${path} holds neither 32 bytes nor 64 hex digits`);
  }
  return secret;
}

/** `heliograph epoch`, the number, the key's id: a wrapped key moved to another epoch's file does not open. */
function wrapAad({ epoch, keyId }: Pick<KeyRecord, 'epoch' | 'keyId'>): Uint8Array {
  return utf8(`heliograph epoch ${epoch} ${hexOf(keyId)}`);
}
