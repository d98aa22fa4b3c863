/** Errors of the API as problem documents (RFC 9457). */
import { problemAnswer } from '../../platform/network/http/refusal.ts';

export type ProblemStatus =
  400 | 401 | 403 | 404 | 405 | 406 | 409 | 413 | 415 | 416 | 421 | 422 | 429 | 500 | 503 | 507;

/** `detail` says what was wrong and what would be right. */
export function problem(
  status: ProblemStatus,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return problemAnswer({ status, detail }, headers);
}
