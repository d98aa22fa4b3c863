/**
 * A hub's ledger as static files on a stick (`bundle export --ledger DIR`), in the layout of its HTTP port (ledger/LEDGER.md §3): for
 * an auditor who has nothing else. A full tile never changes, so a folder that is brought again gets what is new. Before it does, its
 * checkpoints must be the beginning of the history of now: a folder never holds tiles of two histories.
 */
import { utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import { publicKeyOfText } from '../../keys/public-key.ts';
import { parseCheckpoint } from '../../ledger/note.ts';
import { verifySince } from '../../ledger/since-file.ts';
import { TILE_BYTES, TILE_HASHES } from '../../ledger/tile-tree.ts';
import { CLASS_NAMES, CLASSES } from '../../model/class.ts';
import { folderOf, textIn } from '../../platform/files/files.ts';
import type { HubApi } from '../asking/hub-api.ts';
import type { CliIo } from '../io.ts';

/** Writes what is new; how many files that was. */
export async function writeLedger(dir: string, api: HubApi, io: CliIo): Promise<number> {
  let written = 0;
  for (const opClass of CLASSES) {
    written += await new LogFolder(`${dir}/${CLASS_NAMES[opClass]}`, api, io).write(
      `/log/${CLASS_NAMES[opClass]}`,
    );
  }
  return written;
}

class LogFolder {
  readonly #dir: string;
  readonly #api: HubApi;
  readonly #io: CliIo;
  #written = 0;

  constructor(dir: string, api: HubApi, io: CliIo) {
    this.#dir = dir;
    this.#api = api;
    this.#io = io;
  }

  /** The checkpoint comes last: a stick that is pulled names no tile that is not there. */
  async write(path: string): Promise<number> {
    const key = await this.#api.text(`${path}/key`);
    const checkpoint = await this.#api.text(`${path}/checkpoint`);
    const { size } = parseCheckpoint(checkpoint) ?? { size: 0 };
    await this.#mustGoOn(path, key, size);
    for (let level = 0, hashes = size; hashes > 0; level++) {
      await this.#tiles(path, level, hashes);
      hashes = Math.floor(hashes / TILE_HASHES);
    }
    const cosigned = await this.#api.exchange('GET', `${path}/cosigned`, {}, undefined, [200, 404]);
    if (cosigned.status === 200) this.#put('cosigned', cosigned.bytes);
    this.#put('key', utf8(key));
    this.#put('checkpoint', utf8(checkpoint));
    return this.#written;
  }

  /** Throws where what lies here is of another hub, or of a history that the hub no longer has. */
  async #mustGoOn(path: string, key: string, size: number): Promise<void> {
    const { files } = this.#io;
    const earlier = files.read(`${this.#dir}/checkpoint`);
    if (earlier === undefined) return;
    const text = new TextDecoder().decode(earlier);
    const old = parseCheckpoint(text);
    const publicKey = publicKeyOfText(key);
    const isOfHub = textIn(files, `${this.#dir}/key`) === key.trim();
    if (old === undefined || publicKey === undefined || !isOfHub) {
      throw new HubError('files.refused', `${this.#dir} is of another hub, or no ledger`);
    }
    const since = `${path}/since/${old.size}/${size}`;
    const proof = await this.#api.exchange('GET', since, {}, undefined, [200, 404]);
    const outcome = verifySince(
      new TextDecoder().decode(proof.bytes),
      text,
      publicKey,
      verifyEd25519,
    );
    if (outcome.kind === 'proven') return;
    const what = `${size} ops of now do not go on from the ${old.size} in ${this.#dir}`;
    throw new HubError('ledger.forked', `${what}: keep it, and take another folder`);
  }

  async #tiles(path: string, level: number, hashes: number): Promise<void> {
    const full = Math.floor(hashes / TILE_HASHES);
    const rest = hashes % TILE_HASHES;
    for (let index = 0; index < full; index++) await this.#tile(path, level, tileName(index));
    if (rest > 0) await this.#tile(path, level, `${tileName(full)}.p/${rest}`);
  }

  async #tile(path: string, level: number, name: string): Promise<void> {
    const file = `tile/${level}/${name}`;
    const here = this.#io.files.read(`${this.#dir}/${file}`);
    if (here?.length === TILE_BYTES) return;
    const { bytes } = await this.#api.exchange('GET', `${path}/${file}`, {}, undefined, [200]);
    this.#put(file, bytes);
  }

  #put(name: string, bytes: Uint8Array): void {
    const path = `${this.#dir}/${name}`;
    this.#io.files.makeDir(folderOf(path));
    this.#io.files.replace(path, bytes);
    this.#written += 1;
  }
}

/** Groups of three digits, all but the last with an x before (C2SP tlog-tiles). */
function tileName(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? [];
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
}
