/** Topics between hub and regional node (BATCH.md §1): their names, and what a name that came says. */
import { type Origin, originOfText } from '../../model/origin.ts';
import { type BatchId, batchIdOfText } from '../batch-id.ts';
import { CHUNKS_MAX } from '../limits.ts';

const PREFIX = 'heliograph/v1';
const BRIEF_PREFIX = 'hg';
/** First digits of a hub's id, in its brief topic. */
const BRIEF_DIGITS = 8;
const BRIEF_TOPIC = new RegExp(`^${BRIEF_PREFIX}/([0-9a-f]{${BRIEF_DIGITS}})$`);

/** One hub of one site. */
export interface HubAddress {
  readonly site: string;
  readonly hub: Origin;
}

/** What the regional node subscribes to. */
export const UPSTREAM_FILTERS: readonly string[] = [
  `${PREFIX}/+/+/up/+/+`,
  `${PREFIX}/+/+/hello`,
  `${PREFIX}/+/+/down-receipt/+`,
  `${PREFIX}/+/+/c`,
  `${PREFIX}/+/+/resume`,
];

/** The same, of brief topics: a broker may let nobody hear them. */
export const BRIEF_FILTER = `${BRIEF_PREFIX}/+`;

/** True for a name that can stand in topics and name a folder: 1 to 64 of `a-z A-Z 0-9 . _ -`, no dot in front. */
export function isSiteName(text: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(text);
}

function base({ site, hub }: HubAddress): string {
  return `${PREFIX}/${site}/${hub}`;
}

export function chunkTopic(address: HubAddress, batch: BatchId, index: number): string {
  return `${base(address)}/up/${batch}/${index}`;
}

/** Of all short chunks: as few letters as can be, since they are paid for with each. */
export function shortChunkTopic(address: HubAddress): string {
  return `${base(address)}/c`;
}

/** A hub in its brief topic. */
export function briefNameOf(hub: Origin): string {
  return hub.slice(0, BRIEF_DIGITS);
}

/** Of short chunks, where the region hears it: a third of the letters of `shortChunkTopic`. */
export function briefTopic(hub: Origin): string {
  return `${BRIEF_PREFIX}/${briefNameOf(hub)}`;
}

export function resumeTopic(address: HubAddress): string {
  return `${base(address)}/resume`;
}

export function resumedTopic(address: HubAddress): string {
  return `${base(address)}/have/resumed`;
}

export function helloTopic(address: HubAddress): string {
  return `${base(address)}/hello`;
}

export function downHelloTopic(address: HubAddress): string {
  return `${base(address)}/down-hello`;
}

export function haveTopic(address: HubAddress, batch: BatchId): string {
  return `${base(address)}/have/${batch}`;
}

export function receiptTopic(address: HubAddress, batch: BatchId): string {
  return `${base(address)}/receipt/${batch}`;
}

/** A chunk of a batch that the region sends. */
export function downChunkTopic(address: HubAddress, batch: BatchId, index: number): string {
  return `${base(address)}/down/${batch}/${index}`;
}

export function downReceiptTopic(address: HubAddress, batch: BatchId): string {
  return `${base(address)}/down-receipt/${batch}`;
}

/** What a hub subscribes to. */
export function downstreamFilters(address: HubAddress): readonly string[] {
  const hub = base(address);
  return [`${hub}/down-hello`, `${hub}/have/+`, `${hub}/receipt/+`, `${hub}/down/+/+`];
}

/** What a hub subscribes to that only goes on where it was cut off. */
export function resumingFilters(address: HubAddress): readonly string[] {
  return [`${base(address)}/have/+`, `${base(address)}/receipt/+`];
}

export type UpstreamTopic =
  | { readonly kind: 'hello'; readonly address: HubAddress }
  | { readonly kind: 'resume'; readonly address: HubAddress }
  | { readonly kind: 'short-chunk'; readonly address: HubAddress }
  /** A short chunk of the hub of this name. */
  | { readonly kind: 'brief-chunk'; readonly name: string }
  | {
      readonly kind: 'chunk';
      readonly address: HubAddress;
      readonly batch: BatchId;
      readonly index: number;
    }
  | {
      readonly kind: 'down-receipt';
      readonly address: HubAddress;
      readonly batch: BatchId;
    };

/** Undefined for a name that is none of ours. */
export function parseUpstreamTopic(topic: string): UpstreamTopic | undefined {
  const brief = BRIEF_TOPIC.exec(topic)?.[1];
  if (brief !== undefined) return { kind: 'brief-chunk', name: brief };
  const [prefix, version, site = '', hubText = '', kind, batchText = '', indexText = '', ...rest] =
    topic.split('/');
  const hub = originOfText(hubText);
  if (`${prefix}/${version}` !== PREFIX || rest.length > 0) return undefined;
  if (!isSiteName(site) || hub === undefined) return undefined;
  const address = { site, hub };
  const isWhole = batchText === '' && indexText === '';
  if (isWhole && (kind === 'hello' || kind === 'resume')) return { kind, address };
  if (isWhole && kind === 'c') return { kind: 'short-chunk', address };
  const batch = batchIdOfText(batchText);
  if (kind === 'down-receipt' && batch !== undefined && indexText === '') {
    return { kind, address, batch };
  }
  const index = indexOfText(indexText);
  if (kind !== 'up' || batch === undefined || index >= CHUNKS_MAX) return undefined;
  return { kind: 'chunk', address, batch, index };
}

function indexOfText(text: string): number {
  return /^(0|[1-9][0-9]{0,3})$/.test(text) ? Number(text) : CHUNKS_MAX;
}

/** What the topics of all chunks of one batch have in common: a chunk's topic without its number. */
export function topicOfBatch(topic: string): string {
  return topic.slice(0, topic.lastIndexOf('/'));
}

/** The hub that a topic is of, whichever way it goes. */
export function hubOfTopic(topic: string): HubAddress | undefined {
  const [prefix, version, site = '', hubText = ''] = topic.split('/');
  const hub = originOfText(hubText);
  if (`${prefix}/${version}` !== PREFIX || !isSiteName(site) || hub === undefined) return undefined;
  return { site, hub };
}

type DownstreamTopic =
  | { readonly kind: 'down-hello' }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'have' | 'receipt'; readonly batch: BatchId }
  | { readonly kind: 'down'; readonly batch: BatchId; readonly index: number };

export function parseDownstreamTopic(
  address: HubAddress,
  topic: string,
): DownstreamTopic | undefined {
  const hub = `${base(address)}/`;
  if (!topic.startsWith(hub)) return undefined;
  const [kind, batchText = '', indexText, ...rest] = topic.slice(hub.length).split('/');
  if (rest.length > 0) return undefined;
  if (kind === 'down') {
    const id = batchIdOfText(batchText);
    const index = indexOfText(indexText ?? '');
    return id === undefined || index >= CHUNKS_MAX ? undefined : { kind, batch: id, index };
  }
  if (indexText !== undefined) return undefined;
  if (kind === 'down-hello' && batchText === '') return { kind: 'down-hello' };
  if (kind === 'have' && batchText === 'resumed') return { kind: 'resumed' };
  const batch = batchIdOfText(batchText);
  if (batch === undefined || (kind !== 'have' && kind !== 'receipt')) return undefined;
  return { kind, batch };
}
