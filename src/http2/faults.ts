/** Errors of a stream that say more than that the connection was lost (RFC 9113 sections 7 and 8.7). */

/** The upstream has not processed the request: it may be sent once more, whatever its method. */
export const NOT_PROCESSED = 'ERR_NOT_PROCESSED'
/** As NOT_PROCESSED, and the upstream wants the request over HTTP/1.1. */
export const WANTS_HTTP1 = 'ERR_WANTS_HTTP1'
/** The upstream reset the stream of a request that it had begun. Its connection goes on. */
export const STREAM_RESET = 'ERR_STREAM_RESET'
