/**
 * Asks a hub's HTTP API: what `heliograph status`, `log`, `override` and the demo need. A hub that does not answer is a
 * fault (`hub.unreachable`); an answer that says no is an answer.
 */
import { HubError, messageOf } from '../../../base/errors.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

export interface HttpBytes {
  readonly status: number;
  readonly bytes: Uint8Array;
  /** Header `Content-Range`; empty where there is none. */
  readonly contentRange: string;
}

interface HttpAsk {
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends a stream early. */
  readonly signal?: AbortSignal;
  /** How long an answer may take; 10 s unless said. */
  readonly answerMsMax?: number;
}

export interface HttpClient {
  get(url: string, ask?: HttpAsk): Promise<HttpAnswer>;
  /** Sends `body` as JSON. */
  post(url: string, body: unknown, ask?: HttpAsk): Promise<HttpAnswer>;
  /** Sends and gets bytes as they are. */
  exchange(
    url: string,
    method: 'GET' | 'PUT',
    ask: HttpAsk,
    body: Uint8Array | undefined,
  ): Promise<HttpBytes>;
  /**
   * Calls back with the data of each server-sent event until the stream or `signal` ends; the answer has the
   * text of a refusal, and none of a stream.
   */
  follow(url: string, ask: HttpAsk, onData: (data: string) => void): Promise<HttpAnswer>;
}

const ANSWER_MS_MAX = 10_000;
const OK = 200;
/** Half a megabyte over a weak radio, and a preview that is made meanwhile. */
const EXCHANGE_MS_MAX = 120_000;

export const machineHttpClient: HttpClient = {
  async get(url, ask = {}) {
    const response = await open(url, ask, AbortSignal.timeout(ANSWER_MS_MAX));
    return { status: response.status, text: await textOf(url, response) };
  },
  async post(url, body, ask = {}) {
    const headers = { ...ask.headers, 'content-type': 'application/json' };
    const send = { method: 'POST', body: JSON.stringify(body) };
    const timeout = AbortSignal.timeout(ask.answerMsMax ?? ANSWER_MS_MAX);
    const response = await open(url, { headers }, timeout, send);
    return { status: response.status, text: await textOf(url, response) };
  },
  async exchange(url, method, ask, body) {
    const send = { method, ...(body === undefined ? {} : { body }) };
    const response = await open(url, ask, AbortSignal.timeout(EXCHANGE_MS_MAX), send);
    const contentRange = response.headers.get('content-range') ?? '';
    try {
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, bytes, contentRange };
    } catch (error) {
      throw unreachable(url, error);
    }
  },
  async follow(url, ask, onData) {
    const headers = { ...ask.headers, accept: 'text/event-stream' };
    const response = await open(url, { headers }, ask.signal);
    if (response.status !== OK || response.body === null) {
      return { status: response.status, text: await textOf(url, response) };
    }
    try {
      await readEvents(response.body, onData);
    } catch (error) {
      if (ask.signal?.aborted !== true) throw unreachable(url, error);
    }
    return { status: OK, text: '' };
  },
};

async function open(
  url: string,
  ask: HttpAsk,
  signal?: AbortSignal,
  send: { readonly method?: string; readonly body?: string | Uint8Array } = {},
): Promise<Response> {
  const init: RequestInit = { redirect: 'error', ...(send as RequestInit) };
  if (ask.headers !== undefined) init.headers = { ...ask.headers };
  if (signal !== undefined) init.signal = signal;
  try {
    return await fetch(url, init);
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function textOf(url: string, response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function readEvents(
  body: AsyncIterable<Uint8Array>,
  onData: (data: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const events = text.split('\n\n');
    text = events.pop() as string;
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) onData(data);
    }
  }
}

function unreachable(url: string, error: unknown): HubError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const { origin } = new URL(url);
  return new HubError('hub.unreachable', `no answer from ${origin}: ${messageOf(cause)}`, error);
}
