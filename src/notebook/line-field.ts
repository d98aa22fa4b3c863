/** A field for one line of text that grows where it is longer than the screen is wide: on a phone half a title says nothing. */
import { make } from './dom.ts';

/** Firefox and older browsers do not grow a field by themselves. */
const GROWS = CSS.supports('field-sizing', 'content');

export function lineField(maxLength: number): HTMLTextAreaElement {
  const field = make('textarea', { class: 'line', rows: 1, autocomplete: 'off', maxLength });
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    field.blur();
  });
  field.addEventListener('input', () => {
    // What was pasted may have several.
    if (field.value.includes('\n')) field.value = field.value.replaceAll(/\s*\n\s*/g, ' ');
    fit(field);
  });
  return field;
}

/** After its value was set, and once it is shown. */
export function fit(field: HTMLTextAreaElement): void {
  if (GROWS) return;
  field.style.height = 'auto';
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}
