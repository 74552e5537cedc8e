package hijack

import (
	"net"
	"net/http"
)

// Hold takes the connection of a response from a server that polls its descriptor: conn is
// of use to package transport, which has it polled for another owner, and becomes a
// connection of package net if it is used as one. early is what the client has sent behind
// the request. The error is http.ErrNotSupported if the server does not poll, or if
// middleware has put a writer around that has a Hijack of its own.
func Hold(w http.ResponseWriter) (conn net.Conn, early []byte, err error) {
	for {
		switch below := w.(type) {
		case interface {
			Hold() (net.Conn, []byte, error)
		}:
			return below.Hold()
		case http.Hijacker:
			return nil, nil, http.ErrNotSupported
		case interface{ Unwrap() http.ResponseWriter }:
			w = below.Unwrap()
		default:
			return nil, nil, http.ErrNotSupported
		}
	}
}
