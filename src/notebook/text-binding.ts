/** A text field of the page and a shared text: what is typed goes in as a small change, what others type leaves the caret where it was. */
import type * as Y from 'yjs';

import { changeBetween, movedBy } from './text-change.ts';

/** Binds the two; the function lets go. */
export function bindText(field: HTMLTextAreaElement, text: Y.Text, origin: unknown): () => void {
  field.value = text.toJSON();
  const typed = (): void => {
    const { start, removed, inserted } = changeBetween(text.toJSON(), field.value);
    if (removed === 0 && inserted === '') return;
    text.doc?.transact(() => {
      if (removed > 0) text.delete(start, removed);
      if (inserted !== '') text.insert(start, inserted);
    }, origin);
  };
  const changed = (event: Y.YTextEvent, transaction: Y.Transaction): void => {
    if (transaction.origin === origin) return;
    const { selectionStart, selectionEnd } = field;
    field.value = text.toJSON();
    const [from, to] = [selectionStart, selectionEnd].map((at) => movedBy(event.delta, at));
    if (document.activeElement === field) field.setSelectionRange(from ?? 0, to ?? 0);
  };
  field.addEventListener('input', typed);
  text.observe(changed);
  return () => {
    field.removeEventListener('input', typed);
    text.unobserve(changed);
  };
}
