/** `heliograph snapshot verify`: needs nothing but the file, and the public key of the hub that it should be of. */
import { bytesOfHex, hexOf } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { isoTime } from '../../base/iso-time.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import { readSnapshot, type Trust } from '../../snapshot/snapshot-file.ts';
import { type Args, UsageError } from '../args.ts';
import type { CliIo } from '../io.ts';
import { print } from '../print.ts';
import { bytesText, countText } from '../text.ts';

const KEY_BYTES = 32;

export function verifySnapshot(args: Args, io: CliIo): void {
  const path = args.operand(0);
  const trust = trustOf(args);
  const snapshot = readSnapshot(io.files, path, trust);
  if (snapshot === undefined) throw new HubError('data.unreadable', `there is no file at ${path}`);
  // Every item is read: a snapshot that cannot be taken over is none.
  for (const item of snapshot.items) void item;
  const { hub, publicKey, lsn, items, bytes, digest, createdMs, vector } = snapshot.manifest;
  const found = {
    hub,
    key: hexOf(publicKey),
    isKeyGiven: trust.publicKey !== undefined,
    lsn,
    items,
    bytes,
    digest: hexOf(digest),
    createdAt: isoTime(createdMs),
    lanes: Object.fromEntries(vector),
  };
  const whose = found.isKeyGiven
    ? 'the key given'
    : `key ${found.key}; --key checks that it is yours`;
  print(args, io, found, () => [
    `${path}: whole, signed by hub ${hub} (${whose})`,
    `through LSN ${lsn}, of ${found.createdAt}`,
    `${countText(items, 'item')}, ${bytesText(bytes)}, ${countText(vector.size, 'lane')}`,
    `digest ${found.digest}`,
  ]);
}

function trustOf(args: Args): Trust {
  const text = args.text('key');
  if (text === undefined) return { verify: verifyEd25519 };
  const publicKey = bytesOfHex(text);
  if (publicKey?.length !== KEY_BYTES)
    throw new UsageError('--key is a public key of 64 hex digits');
  return { publicKey, verify: verifyEd25519 };
}
