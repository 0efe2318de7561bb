/** Ours, in logs and in the peer handshake. What clients are told is api/version.ts. */
export const NODE_VERSION = '0.1.0';
