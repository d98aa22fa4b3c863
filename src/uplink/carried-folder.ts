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

interface CarriedFolderOptions {
  readonly files: Files;
  readonly dir: string;
  readonly log: Log;
  readonly bytesMax?: number;
}

/** Beyond, bundles that were here before give way. */
const CARRIED_BYTES_MAX = 256 << 20;
/** Of a message's hash, to know it again. */
const ID_BYTES = 8;
const SEPARATOR = Uint8Array.of(0);
/** In the order in which they came, and by their hash. */
const NAME = /^(?:([0-9]{8})-)?[0-9a-f]{32}\.bundle$/;

/** What a bundle has: to read all of them with each message would hold up the hub. */
interface Held {
  readonly bytes: number;
  readonly messages: readonly { readonly id: string; readonly topic: string }[];
}

export class CarriedFolder {
  readonly #options: CarriedFolderOptions;
  /** Its name has its hash, so what a bundle holds never changes. */
  readonly #heldByName = new Map<string, Held>();

  constructor(options: CarriedFolderOptions) {
    this.#options = options;
  }

  names(): string[] {
    const { files, dir } = this.#options;
    return files.list(dir).filter((name) => NAME.test(name));
  }

  /** Of a bundle, as they came; none where there is no such bundle. */
  messages(name: string): readonly CarriedMessage[] {
    return NAME.test(name) ? this.#read(name).messages : [];
  }

  /** What is here already, from another stick or in another company, is not kept twice: carriers who meet often would fill up. */
  keep(messages: readonly CarriedMessage[]): void {
    const { files, log, bytesMax = CARRIED_BYTES_MAX } = this.#options;
    const held = this.#held();
    const here = new Set([...held.values()].flatMap((each) => each.messages.map(({ id }) => id)));
    const fresh: CarriedMessage[] = [];
    for (const message of messages) {
      const id = idOf(message);
      if (!here.has(id)) fresh.push(message);
      here.add(id);
    }
    if (fresh.length === 0) return;
    files.makeDir(this.#options.dir);
    const [bytes = new Uint8Array()] = encodeBundle(fresh);
    let total = bytes.length;
    for (const each of held.values()) total += each.bytes;
    const names = [...held.keys()].toSorted((a, b) => numberOf(a) - numberOf(b));
    const number = numberOf(names.at(-1) ?? '') + 1;
    for (const name of names) {
      if (total <= bytesMax) break;
      files.remove(this.#pathOf(name));
      total -= held.get(name)?.bytes ?? 0;
      log.warn('uplink.carried.dropped', { name, bytesMax });
    }
    const hash = hexOf(sha256(bytes).subarray(0, 16));
    files.replace(this.#pathOf(`${String(number).padStart(8, '0')}-${hash}.bundle`), bytes);
  }

  /** What the region has stored need not be carried there any more; greetings go with the last chunk of their hub. */
  letGo(stored: ReadonlySet<string>): void {
    const { files } = this.#options;
    const isStored = ({ topic }: { readonly topic: string }): boolean =>
      stored.has(topicOfBatch(topic));
    for (const [name, { messages }] of this.#held()) {
      if (!messages.some(isStored)) continue;
      const wanted = this.messages(name).filter((message) => !isStored(message));
      files.remove(this.#pathOf(name));
      this.keep(wanted);
    }
    const bringing = new Set<string>();
    for (const { messages } of this.#held().values()) {
      for (const { topic } of messages) {
        const parsed = parseUpstreamTopic(topic);
        if (parsed?.kind === 'chunk') bringing.add(parsed.address.hub);
      }
    }
    for (const [name, { messages }] of this.#held()) {
      const isOver = messages.every(({ topic }) => {
        const parsed = parseUpstreamTopic(topic);
        return parsed?.kind === 'hello' && !bringing.has(parsed.address.hub);
      });
      if (isOver) files.remove(this.#pathOf(name));
    }
  }

  #held(): ReadonlyMap<string, Held> {
    const names = new Set(this.names());
    for (const name of this.#heldByName.keys()) {
      if (!names.has(name)) this.#heldByName.delete(name);
    }
    for (const name of names) {
      if (this.#heldByName.has(name)) continue;
      const { bytes, messages } = this.#read(name);
      const told = messages.map((message) => ({ id: idOf(message), topic: message.topic }));
      this.#heldByName.set(name, { bytes, messages: told });
    }
    return this.#heldByName;
  }

  #read(name: string): { readonly bytes: number; readonly messages: readonly CarriedMessage[] } {
    const bytes = this.#options.files.read(this.#pathOf(name));
    const part = bytes === undefined ? undefined : parsePart(bytes);
    const joined = part?.kind === 'part' ? joinBundle([part.part]) : undefined;
    return {
      bytes: bytes?.length ?? 0,
      messages: joined?.kind === 'bundle' ? [...joined.messages] : [],
    };
  }

  #pathOf(name: string): string {
    return `${this.#options.dir}/${name}`;
  }
}

/** Earlier versions gave none: what has it came later. */
function numberOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? 0);
}

function idOf({ topic, payload }: CarriedMessage): string {
  return hexOf(sha256(concatBytes([utf8(topic), SEPARATOR, payload])).subarray(0, ID_BYTES));
}
