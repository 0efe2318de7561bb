/** More voters make a local cluster slower and nothing safer; etcd recommends at most seven. */
export const MAX_NODES = 9;
export const DEFAULT_NODES = 3;
