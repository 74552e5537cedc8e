package websocket

import (
	"net"

	"github.com/nextrush/nextrush/internal/transport"
)

// PollListener wraps the listener of a TLS server of package net/http, so that a
// wss socket needs no goroutine while nothing arrives (see Options.DisablePolling):
//
//	server.ServeTLS(websocket.PollListener(ln), "cert.pem", "key.pem")
//
// It changes nothing else. nextrush.App does it by itself.
func PollListener(ln net.Listener) net.Listener { return transport.Listen(ln) }
