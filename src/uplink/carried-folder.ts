/**
 * What a hub carries for others on a stick (batch/BUNDLE.md), kept unread as bundles in a folder: each message once, within a
 * limit of bytes, until the region has what they bring.
 */
import { concatBytes, hexOf, utf8 } from '../base/bytes.ts';
import type { Log } from '../base/log.ts';
import { type CarriedMessage, encodeBundle, joinBundle, parsePart } from '../batch/bundle.ts';
import { parseUpstreamTopic, topicOfBatch } from '../batch/wire/topics.ts';
import { sha256 } from '../hashes.ts';
import type { Files } from '../platform/files/files.ts';

export interface CarriedFolderOptions {
  readonly files: Files;
  readonly dir: string;
  readonly log: Log;
}

/** Beyond, bundles that were here before give way. */
const CARRIED_BYTES_MAX = 256 << 20;
/** Of a message's hash, to know it again. */
const ID_BYTES = 8;
const SEPARATOR = Uint8Array.of(0);
const NAME = /^[0-9a-f]{32}\.bundle$/;

export class CarriedFolder {
  readonly #options: CarriedFolderOptions;
  /** What each bundle here holds; its name is its hash, so it never changes. */
  readonly #idsByName = new Map<string, readonly string[]>();

  constructor(options: CarriedFolderOptions) {
    this.#options = options;
  }

  names(): string[] {
    const { files, dir } = this.#options;
    return files.list(dir).filter((name) => name.endsWith('.bundle'));
  }

  /** Of a bundle, as they came; none where there is no such bundle. */
  messages(name: string): readonly CarriedMessage[] {
    if (!NAME.test(name)) return [];
    const bytes = this.#options.files.read(this.#pathOf(name));
    const part = bytes === undefined ? undefined : parsePart(bytes);
    const joined = part?.kind === 'part' ? joinBundle([part.part]) : undefined;
    return joined?.kind === 'bundle' ? joined.messages : [];
  }

  /** What is here already, from another stick or in another company, is not kept twice: carriers who meet often would fill up. */
  keep(messages: readonly CarriedMessage[]): void {
    const { files, log } = this.#options;
    const names = this.names();
    const here = this.#idsIn(names);
    const fresh: CarriedMessage[] = [];
    for (const message of messages) {
      const id = idOf(message);
      if (!here.has(id)) fresh.push(message);
      here.add(id);
    }
    if (fresh.length === 0) return;
    files.makeDir(this.#options.dir);
    const [bytes = new Uint8Array()] = encodeBundle(fresh);
    const sizes = names.map((name) => files.read(this.#pathOf(name))?.length ?? 0);
    let total = sizes.reduce((sum, size) => sum + size, bytes.length);
    for (const [index, name] of names.entries()) {
      if (total <= CARRIED_BYTES_MAX) break;
      files.remove(this.#pathOf(name));
      total -= sizes[index] ?? 0;
      log.warn('uplink.carried.dropped', { name, bytesMax: CARRIED_BYTES_MAX });
    }
    const name = `${hexOf(sha256(bytes).subarray(0, 16))}.bundle`;
    files.replace(this.#pathOf(name), bytes);
  }

  /** What the region has stored need not be carried there any more; greetings go with the last chunk of their hub. */
  letGo(stored: ReadonlySet<string>): void {
    const { files } = this.#options;
    const bringing = new Set<string>();
    for (const name of this.names()) {
      const messages = this.messages(name);
      const wanted = messages.filter(({ topic }) => !stored.has(topicOfBatch(topic)));
      if (wanted.length < messages.length) {
        files.remove(this.#pathOf(name));
        this.keep(wanted);
      }
      for (const { topic } of wanted) {
        const parsed = parseUpstreamTopic(topic);
        if (parsed?.kind === 'chunk') bringing.add(parsed.address.hub);
      }
    }
    for (const name of this.names()) {
      const isOver = this.messages(name).every(({ topic }) => {
        const parsed = parseUpstreamTopic(topic);
        return parsed?.kind === 'hello' && !bringing.has(parsed.address.hub);
      });
      if (isOver) files.remove(this.#pathOf(name));
    }
  }

  #idsIn(names: readonly string[]): Set<string> {
    for (const name of this.#idsByName.keys()) {
      if (!names.includes(name)) this.#idsByName.delete(name);
    }
    const here = new Set<string>();
    for (const name of names) {
      const ids = this.#idsByName.get(name) ?? this.messages(name).map(idOf);
      this.#idsByName.set(name, ids);
      for (const id of ids) here.add(id);
    }
    return here;
  }

  #pathOf(name: string): string {
    return `${this.#options.dir}/${name}`;
  }
}

function idOf({ topic, payload }: CarriedMessage): string {
  return hexOf(sha256(concatBytes([utf8(topic), SEPARATOR, payload])).subarray(0, ID_BYTES));
}
