/**
 * What one connection may cost. A client that respects HTTP/2 meets none of these limits except
 * the number of streams, which it is told.
 */

/** SETTINGS_MAX_CONCURRENT_STREAMS; a stream beyond it is refused. */
export const MAX_CONCURRENT_STREAMS = 4096;
/** SETTINGS_MAX_FRAME_SIZE that is announced, and kept to: the protocol's least. */
export const MAX_FRAME_BYTES = 16_384;
/** SETTINGS_HEADER_TABLE_SIZE of both directions: the protocol's default. */
export const HEADER_TABLE_BYTES = 4096;
/** SETTINGS_MAX_HEADER_LIST_SIZE: decoded names and values with 32 bytes for each field. */
export const MAX_HEADER_LIST_BYTES = 64 * 1024;
/** Header block as it arrives, over all of its frames; more closes the connection. */
export const MAX_HEADER_BLOCK_BYTES = 128 * 1024;
/** CONTINUATION frames of one header block; more close the connection. */
export const MAX_CONTINUATION_FRAMES = 16;

/** SETTINGS_INITIAL_WINDOW_SIZE: what a stream may send before it is read. */
export const STREAM_RECEIVE_WINDOW_BYTES = 512 * 1024;
/** What all streams together may send before WINDOW_UPDATE; uploads should not stall on it. */
export const CONNECTION_RECEIVE_WINDOW_BYTES = 8 * 1024 * 1024;

/** From here on DATA stays in the queues of its streams, which their sinks report. */
export const MAX_SOCKET_QUEUE_BYTES = 256 * 1024;
/**
 * From here on nothing more is read from the client: it does not read the answers, so further
 * questions would only pile them up.
 */
export const MAX_UNREAD_ANSWER_BYTES = 1024 * 1024;

/** The client's preface and SETTINGS have to arrive within. */
export const PREFACE_TIMEOUT_MS = 10_000;
/** TCP keep-alive probes find clients that vanished without a word. */
export const TCP_KEEPALIVE_DELAY_MS = 60_000;
/** After the last frame a client gets so long to close, then it is cut. */
export const LINGER_MS = 1000;

/** Budgets of frames that cost work and bring none are counted over such a span. */
export const FLOOD_WINDOW_MS = 10_000;
/**
 * SETTINGS, PING, PRIORITY, empty DATA, unknown frames and frames of closed streams. Payload in
 * either direction earns credit, since grpc-go's bandwidth estimator pings as often as data flows.
 */
export const MAX_CONTROL_FRAMES_PER_WINDOW = 2000;
/**
 * Streams that the client resets or makes us reset (CVE-2023-44487, CVE-2025-8671). Finished calls
 * earn credit.
 */
export const MAX_RESETS_PER_WINDOW = 2000;
