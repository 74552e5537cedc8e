// Package deflate is the message codec of the WebSocket extension
// permessage-deflate, RFC 7692 section 7.2: bytes in, bytes out. Negotiation
// (section 7.1) and framing belong to its callers.
package deflate
