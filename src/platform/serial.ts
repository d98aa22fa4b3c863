/**
 * A serial line that is only read (VE.Direct). The simulated twin is sim/serial.ts.
 */

export interface SerialHandlers {
  onData(bytes: Uint8Array): void;
  /** The adapter is gone or was never there; called once. */
  onClose(reason: string): void;
}

export interface SerialLine {
  close(): void;
}

export interface SerialPorts {
  /** Opens `path` raw at `baud`, 8N1; failure comes as `onClose`. */
  open(path: string, baud: number, handlers: SerialHandlers): SerialLine;
}
