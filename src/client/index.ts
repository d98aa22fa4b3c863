/** The SDK for devices, what is the same everywhere; `connect` comes from node.ts or browser.ts. See README.md. */
export { HubError } from '../base/errors.ts';
export { CLASS_NAMES, classNamed, type OpClass } from '../model/class.ts';
export type { Notice } from '../protocol/notice-message.ts';
export { EVERYTHING, type Scope } from '../protocol/scope.ts';
export { Device } from './device.ts';
export type { DeviceOptions, DeviceStatus } from './options.ts';
export type { Asset, AssetHints, SeenVersion, Upload } from './assets/asset.ts';
export type { YDoc, YModule } from './view/docs.ts';
export type { ConflictSide, HistoryEntry, SeenConflict } from './view/history.ts';
export type { Kept, Made } from './outbox/made.ts';
export type { Query, RecordRow } from './view/queries.ts';
export type { Contact } from './link/session.ts';
export type { Fields, Value } from './view/values.ts';
