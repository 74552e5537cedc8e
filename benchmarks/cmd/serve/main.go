// Command serve is every server that is measured, one at a time:
//
//	go run ./cmd/serve -lib gws -addr 127.0.0.1:8080
//
// It prints the address it listens on and serves until it is killed. Each
// library is used as its own documentation shows, with its defaults.
package main

import (
	"flag"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
)

// servers serve a listener until it fails. WebSocket libraries answer at /echo
// and some at /room, where all are sent what one says; HTTP ones have the four
// routes of http.go.
var servers = map[string]func(net.Listener) error{
	"nextrush": serveNextrush,

	"gws":     sockets(gwsEcho(false), gwsRoom()),
	"gws-z":   sockets(gwsEcho(true), nil), // -z: with permessage-deflate
	"gorilla": sockets(gorillaEcho, gorillaRoom()),
	"coder":   sockets(coderEcho, nil),
	"gobwas":  sockets(gobwasEcho, nil),
	"melody":  sockets(melodyEcho(), melodyRoom()),

	"gobwas-raw": gobwasRaw,
	"nextrush-z": serveNextrushCompressed,

	"net/http":   serveNetHTTP,
	"httprouter": serveHTTPRouter,
	"gin":        serveGin,
	"echo":       serveEcho,
	"chi":        serveChi,
	"fiber":      serveFiber,
}

func main() {
	lib := flag.String("lib", "nextrush", names(servers))
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	stack := flag.String("stack", "", "five or production: JSON behind middleware, of "+names(stacks))
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelWarn)
	serve := find(*lib, *stack)
	if serve == nil {
		log.Fatalf("serve: no -lib %q with -stack %q", *lib, *stack)
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal("serve: ", err)
	}
	fmt.Println(l.Addr())
	log.Fatal("serve: ", serve(l))
}

func names[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// find returns nil for what there is not.
func find(lib, stack string) func(net.Listener) error {
	behind := stacks[lib]
	switch {
	case stack == "":
		return servers[lib]
	case behind != nil && (stack == "five" || stack == "production"):
		return func(l net.Listener) error { return behind(l, stack == "production") }
	}
	return nil
}

// sockets serves WebSocket handlers with net/http alone; room may be nil.
func sockets(echo, room http.HandlerFunc) func(net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", echo)
	if room != nil {
		mux.HandleFunc("/room", room)
	}
	return func(l net.Listener) error { return http.Serve(l, mux) }
}
