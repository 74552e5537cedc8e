// Package wire is the WebSocket protocol as bytes in and values out: frame
// headers, masking, UTF-8, close codes, the handshake's key, and the
// permessage-deflate negotiation (RFC 6455, RFC 7692). It does no I/O, knows no
// time and holds no locks; its functions are safe from any goroutine.
package wire
