/**
 * How an HTTP server ends: whoever still waits for an answer is told to come again, what is being sent may come to its end
 * for a moment, and then every connection is closed.
 */
import type { ServerResponse } from 'node:http';

import { problemAnswer, type Refusal } from './refusal.ts';

const STOPPING: Refusal = {
  status: 503,
  detail: 'The program is stopping. Ask again in some seconds.',
};
const RETRY_AFTER_S = '5';
/** A slow reader of a long answer does not hold the stop. */
const LAST_WORDS_MS = 500;

export class HttpEnding {
  readonly #waiting = new Set<(answer: Response) => void>();
  readonly #open = new Set<ServerResponse>();
  #isStopping = false;
  #onIdle: () => void = () => undefined;

  /** Notes a response until it is sent, or its connection is gone. */
  watch(response: ServerResponse): void {
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      if (this.#open.size === 0) this.#onIdle();
    });
  }

  /** What `work` answers, or 503 where the stop comes first; what it comes to then, nobody hears. */
  answer(work: () => Response | Promise<Response>): Response | Promise<Response> {
    if (this.#isStopping) return stoppingAnswer();
    const working = work();
    if (working instanceof Response) return working;
    return new Promise((resolve, reject) => {
      this.#waiting.add(resolve);
      const hear = async (): Promise<void> => {
        try {
          const answer = await working;
          if (this.#waiting.delete(resolve)) resolve(answer);
          else await answer.body?.cancel();
        } catch (error) {
          if (this.#waiting.delete(resolve)) reject(error);
        }
      };
      void hear();
    });
  }

  /** Resolves when nothing is on its way to anybody any more, or has had its time. */
  stop(): Promise<void> {
    this.#isStopping = true;
    for (const resolve of this.#waiting) resolve(stoppingAnswer());
    this.#waiting.clear();
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LAST_WORDS_MS);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function stoppingAnswer(): Response {
  return problemAnswer(STOPPING, { Connection: 'close', 'Retry-After': RETRY_AFTER_S });
}
