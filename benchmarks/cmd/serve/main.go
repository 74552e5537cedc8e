// Command serve runs one of the servers that are measured:
//
//	go run ./cmd/serve -lib gws -addr 127.0.0.1:8080
//
// It prints the address it listens on and serves until it is killed. Each
// library is used as its own documentation shows, with its defaults.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	coder "github.com/coder/websocket"
	"github.com/nextrush/nextrush"
)

// servers serve a listener until it fails. WebSocket libraries answer at /echo. Some also
// answer at /room, where everybody gets every message, and at /joined, an echo whose
// connections are in one room and have a heartbeat. Ours also has /block, whose callbacks
// block before they echo. HTTP servers have the four routes of http.go, and three have those of
// transfer.go.
var servers = map[string]func(net.Listener) error{
	"nextrush":          serveNextrush(nextrush.Options{}),
	"nextrush-net/http": serveNextrush(nextrush.Options{Server: nextrush.ServerNetHTTP}),

	"gws":      gwsServer,
	"gws-z":    sockets(routes{"/echo": gwsEcho(true)}), // -z: with permessage-deflate
	"gws-tls":  overTLS(gwsServer),
	"gorilla":  sockets(routes{"/echo": gorillaEcho(false), "/room": gorillaRoom()}),
	"coder":    sockets(routes{"/echo": coderEcho(nil)}),
	"gobwas":   sockets(routes{"/echo": gobwasEcho}),
	"melody":   sockets(routes{"/echo": melodyEcho(), "/room": melodyRoom()}),
	"nbio":     serveNbio,
	"fasthttp": serveFasthttp,

	"gobwas-raw": gobwasRaw,
	"gorilla-z":  sockets(routes{"/echo": gorillaEcho(true)}),
	"coder-z": sockets(routes{"/echo": coderEcho(&coder.AcceptOptions{
		CompressionMode: coder.CompressionNoContextTakeover, CompressionThreshold: 1,
	})}),
	"nextrush-z":   serveNextrushCompressed,
	"nextrush-tls": serveNextrushTLS,

	"nextrush-portable":     serveNextrushPortable,
	"nextrush-portable-tls": serveNextrushPortableTLS,

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
	nofile := flag.Uint64("nofile", 0, "descriptors that the process may have open; 0: as many as the shell allows")
	flag.Parse()
	if err := limitFiles(*nofile); err != nil {
		log.Fatal("serve: ", err)
	}
	slog.SetLogLoggerLevel(slog.LevelWarn)
	if *nofile > 0 {
		slog.SetLogLoggerLevel(slog.LevelError) // accept is expected to fail
	}
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

func limitFiles(n uint64) error {
	if n == 0 {
		return nil
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n})
}

func names[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// find returns nil if there is no such server.
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

type routes map[string]http.HandlerFunc

var gwsServer = sockets(routes{"/echo": gwsEcho(false), "/room": gwsRoom(), "/joined": gwsJoined()})

// sockets serves WebSocket handlers with net/http only.
func sockets(handlers routes) func(net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/goroutines", goroutines)
	for path, h := range handlers {
		mux.HandleFunc(path, h)
	}
	return func(l net.Listener) error { return http.Serve(l, mux) }
}

func countGoroutines() string { return strconv.Itoa(runtime.NumGoroutine()) }

// goroutines answers with the number of goroutines.
func goroutines(w http.ResponseWriter, _ *http.Request) {
	n := countGoroutines()
	w.Header().Set("Content-Length", strconv.Itoa(len(n)))
	io.WriteString(w, n)
}
