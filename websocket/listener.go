package websocket

import (
	"net"

	"github.com/nextrush/nextrush/internal/transport"
)

// NewListener wraps the listener of a TLS server of package net/http, so that a
// wss socket needs no goroutine while nothing arrives (see DriverAuto):
//
//	server.ServeTLS(websocket.NewListener(ln), "cert.pem", "key.pem")
//
// It changes nothing else. nextrush.App does it by itself.
func NewListener(ln net.Listener) net.Listener { return transport.Listen(ln) }
