/**
 * The etcd release whose API this node speaks, as Status and /version report it. Clients parse it.
 */
export const ETCD_API_VERSION = '3.5.0';
