/** Errors of the API as problem documents (RFC 9457). */
import { PROBLEM_TYPE, problemText } from '../../platform/network/http/refusal.ts';

const TITLES = {
  400: 'Bad request',
  401: 'Who are you?',
  403: 'Not allowed',
  404: 'Not here',
  405: 'Method not allowed',
  406: 'Not in a form that you take',
  409: 'Not as things stand',
  413: 'Too large',
  415: 'Not this kind of content',
  416: 'Beyond its end',
  421: 'Not this host',
  422: 'Not what it says it is',
  429: 'Too many streams',
  500: 'The hub made a mistake',
  503: 'Not now',
  507: 'No room',
} as const;

export type ProblemStatus = keyof typeof TITLES;

/** `detail` says what was wrong and what would be right. */
export function problem(
  status: ProblemStatus,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(problemText({ status, title: TITLES[status], detail }), {
    status,
    headers: { 'Content-Type': PROBLEM_TYPE, 'Cache-Control': 'no-store', ...headers },
  });
}
