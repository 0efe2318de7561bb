export {
  applyChange,
  type ConfChangeErrorCode,
  type Configuration,
  configurationOf,
  confStateOf,
} from './confchange.ts';
export { RaftNode } from './node.ts';
export type * from './types.ts';
export { NONE } from './types.ts';
