/**
 * The keys of a site's hubs. A hub's id is the hash of its key, so a hello needs no earlier registration; the
 * first key is remembered, one small file each, and another one for the same id is never taken.
 */
import { bytesEqual, bytesOfHex, hexOf, utf8 } from '../../base/bytes.ts';
import { originOfPublicKey } from '../../hashes.ts';
import { type Origin, originOfText } from '../../model/origin.ts';
import { type Files, textIn } from '../../platform/files/files.ts';
import type { Met } from '../site-storage.ts';

const SUFFIX = '.pub';

export class HubKeys {
  readonly #files: Files;
  readonly #dir: string;
  readonly #hubsMax: number;
  readonly #keys = new Map<Origin, Uint8Array>();

  constructor(files: Files, dir: string, hubsMax: number) {
    this.#files = files;
    this.#dir = dir;
    this.#hubsMax = hubsMax;
    files.makeDir(dir);
    for (const name of files.list(dir)) {
      const hub = name.endsWith(SUFFIX) ? originOfText(name.slice(0, -SUFFIX.length)) : undefined;
      const key = hub === undefined ? undefined : this.#read(hub);
      if (hub !== undefined && key !== undefined) this.#keys.set(hub, key);
    }
  }

  hubs(): Origin[] {
    return [...this.#keys.keys()].toSorted();
  }

  get(hub: Origin): Uint8Array | undefined {
    return this.#keys.get(hub);
  }

  remember(hub: Origin, publicKey: Uint8Array): Met {
    const known = this.#keys.get(hub);
    if (known !== undefined) return bytesEqual(known, publicKey) ? 'known' : 'other';
    if (this.#keys.size >= this.#hubsMax) return 'full';
    this.#files.replace(this.#path(hub), utf8(`${hexOf(publicKey)}\n`));
    this.#keys.set(hub, publicKey.slice());
    return 'new';
  }

  #path(hub: Origin): string {
    return `${this.#dir}/${hub}${SUFFIX}`;
  }

  /** A damaged file says nothing: the next hello writes it anew. */
  #read(hub: Origin): Uint8Array | undefined {
    const key = bytesOfHex(textIn(this.#files, this.#path(hub)));
    return key !== undefined && originOfPublicKey(key) === hub ? key : undefined;
  }
}
