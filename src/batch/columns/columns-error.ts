/** Bytes that are no columns of ours; never leaves this folder, where it becomes an outcome. */
export class ColumnsError extends Error {
  override readonly name = 'ColumnsError';
}
