/**
 * Carried sync over HTTP: what a hub hands out and takes in, and what a regional node takes in, as messages in JSON, `[topic,
 * base64]` each, a part at a time; the command makes files of them. For people, not for devices.
 */
import { jsonAnswer } from '../http/answers.ts';
import type { HttpPrincipal } from '../http/login.ts';
import { problem } from '../http/problem.ts';
import type { Wish } from '../http/wish.ts';

interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** On the hub. */
export interface BundleDoor {
  handOut(to: string): Promise<object & { readonly hello: Message }>;
  messages(batch: string, from: number): readonly Message[];
  carried(name: string): readonly Message[];
  take(messages: readonly Message[]): object;
}

/** On the regional node. */
export type TakeCarried = (
  messages: readonly Message[],
) => Promise<{ readonly answers: readonly Message[] } & object>;

const MESSAGES_MAX = 10_000;
const TO_CHARS_MAX = 200;
const UNCLEAR = 'Say {"to": "whom"} or {"messages": [[topic, base64], …]}.';

/** `POST {"to": "stick of Ana"}` seals what waits; `{"messages": […]}` takes in. */
export async function bundleAnswer(door: BundleDoor, { body }: Wish): Promise<Response> {
  if (typeof body['to'] === 'string' && body['to'].length <= TO_CHARS_MAX) {
    const handed = await door.handOut(body['to']);
    return jsonAnswer({ ...handed, hello: jsonOf(handed.hello) });
  }
  const messages = messagesOf(body['messages']);
  return messages === undefined ? problem(400, UNCLEAR) : jsonAnswer(door.take(messages));
}

/** `GET ?batch=&from=` or `?carried=`. */
export function bundlePage(
  door: BundleDoor,
  url: URL,
  principal: HttpPrincipal | undefined,
): Response {
  if (principal?.role === 'device') return problem(403, 'This is for people, no device.');
  const { searchParams } = url;
  const name = searchParams.get('carried');
  const batch = searchParams.get('batch') ?? '';
  const from = Number(searchParams.get('from') ?? 0);
  if (!Number.isSafeInteger(from) || from < 0) return problem(400, 'from is a number of a chunk.');
  const messages = name === null ? door.messages(batch, from) : door.carried(name);
  return jsonAnswer({ messages: messages.map((message) => jsonOf(message)) });
}

export async function regionBundleAnswer(take: TakeCarried, { body }: Wish): Promise<Response> {
  const messages = messagesOf(body['messages']);
  if (messages === undefined) return problem(400, UNCLEAR);
  const { answers, ...rest } = await take(messages);
  return jsonAnswer({ ...rest, answers: answers.map((message) => jsonOf(message)) });
}

function messagesOf(value: unknown): Message[] | undefined {
  if (!Array.isArray(value) || value.length > MESSAGES_MAX) return undefined;
  const messages = (value as readonly unknown[]).map((item) => messageOf(item));
  return messages.every((message) => message !== undefined) ? messages : undefined;
}

function messageOf(item: unknown): Message | undefined {
  if (!Array.isArray(item) || item.length !== 2) return undefined;
  const [topic, payload] = item as readonly unknown[];
  if (typeof topic !== 'string' || typeof payload !== 'string') return undefined;
  return { topic, payload: new Uint8Array(Buffer.from(payload, 'base64')) };
}

function jsonOf({ topic, payload }: Message): [string, string] {
  return [topic, Buffer.from(payload).toString('base64')];
}
