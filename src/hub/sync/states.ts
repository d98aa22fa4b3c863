/**
 * States between hubs: this hub's snapshot, for peers that lack what its journal has let go of, and the snapshot of a peer, to be
 * taken over here (sync/peers/PEERS.md §6). One at a time is taken, into a file beside the journal, and nothing of it counts
 * before it is whole and its hub's signature fits. Readings over time and bytes of assets are not in it.
 */
import { hexOf } from '../../base/bytes.ts';
import { messageOf, systemCode } from '../../base/errors.ts';
import { parseCose } from '../../codec/cose.ts';
import { LOG } from '../../model/class.ts';
import { type Origin, splitLane } from '../../model/origin.ts';
import { covers, type VersionVector } from '../../model/version-vector.ts';
import { folderOf } from '../../platform/files/files.ts';
import { readManifest } from '../../snapshot/manifest.ts';
import { manifestOfHub, openSnapshot, SNAPSHOT_FORMAT_MIN } from '../../snapshot/snapshot-file.ts';
import type {
  GivenState,
  OfferedState,
  PeerStates,
  TakenState,
} from '../../sync/peers/contract.ts';
import { SNAPSHOT_FORMAT } from '../../versions.ts';
import { StateTaking, type TakingOptions } from './state-taking.ts';

interface HubStatesOptions extends TakingOptions {
  /** This hub's own snapshot. */
  readonly snapshot: string;
  /** Folder for what is on its way. */
  readonly dir: string;
}

/** A state is read into memory when it is taken over. */
const STATE_BYTES_MAX = 256 << 20;
/** Beside the file, its items go into the journal. */
const ROOM_FACTOR = 2;

export class HubStates implements PeerStates {
  readonly formats = { from: SNAPSHOT_FORMAT_MIN, to: SNAPSHOT_FORMAT };
  readonly #options: HubStatesOptions;
  #taking: StateTaking | undefined;
  #isClosed = false;

  constructor(options: HubStatesOptions) {
    this.#options = options;
  }

  open(): GivenState | undefined {
    const { files, snapshot, log } = this.#options;
    try {
      const found = openSnapshot(files, snapshot);
      if (found === undefined) return undefined;
      const { file, bytes, manifest } = found;
      const { vector } = readManifest(parseCose(manifest));
      const read = (offset: number, bytesMax: number): Uint8Array => {
        const part = new Uint8Array(Math.min(bytesMax, bytes - offset));
        return part.subarray(0, file.readAt(part, offset));
      };
      return { manifest, bytes, vector, read, close: () => file.close() };
    } catch (error) {
      log.warn('peer.state-unreadable', { path: snapshot, reason: messageOf(error) });
      return undefined;
    }
  }

  take(offer: OfferedState, from: Origin): TakenState | undefined {
    const { files, dir, door, verify, log } = this.#options;
    if (this.#isClosed || this.#taking?.isOpen === true) return undefined;
    const manifest = manifestOfHub(offer.manifest, from, verify);
    const refusal = manifest === undefined ? 'it is not signed by that hub' : this.#refusal(offer);
    if (manifest === undefined || refusal !== undefined) {
      log.warn('peer.state-refused', { hub: from, bytes: offer.bytes, reason: refusal });
      return undefined;
    }
    if (covers(door.vector(), withoutLog(manifest.vector))) return undefined;
    try {
      files.makeDir(dir);
      const name = hexOf(manifest.sha256);
      for (const other of files.list(dir)) if (other !== name) files.remove(`${dir}/${other}`);
      const path = `${dir}/${name}`;
      const file = files.open(path, files.exists(path) ? 'update' : 'create');
      this.#taking = new StateTaking(this.#options, { file, path, manifest, offer });
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      log.warn('peer.state-refused', { hub: from, bytes: offer.bytes, reason: messageOf(error) });
      return undefined;
    }
    const { offset } = this.#taking;
    log.info('peer.state-begins', { hub: from, bytes: offer.bytes, hereBytes: offset });
    return this.#taking;
  }

  close(): void {
    this.#isClosed = true;
    this.#taking?.close();
  }

  #refusal({ bytes }: OfferedState): string | undefined {
    if (bytes > STATE_BYTES_MAX) return `more than ${STATE_BYTES_MAX} bytes`;
    const { files, dir } = this.#options;
    return files.freeBytes(folderOf(dir)) < ROOM_FACTOR * bytes
      ? 'the disk has no room for it'
      : undefined;
  }
}

/** Lines of a hub's log are its own. */
function withoutLog(vector: VersionVector): VersionVector {
  return new Map([...vector].filter(([lane]) => splitLane(lane).class !== LOG));
}
