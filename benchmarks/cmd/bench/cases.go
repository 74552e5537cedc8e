package main

import (
	"fmt"
	"slices"
	"strings"
)

// kind is what a case measures.
type kind int

const (
	cost    kind = iota // the server's CPU
	memory              // of a connection
	latency             // at a rate that all servers bear easily
	stalled             // latency with and without a reader that never reads
	blocked             // what others wait while callbacks block
)

// benchCase is one kind of load and the servers that it is for.
type benchCase struct {
	name  string
	note  string // printed below it
	kind  kind
	load  []string // arguments of cmd/load
	serve []string // arguments of cmd/serve besides -lib
	base  string   // server that the others are compared with
	libs  []string // of cmd/serve, or scripts
	unit  string   // of the figure that is compared
	cores string   // shared by both sides, and the server's GOMAXPROCS is their number; "": one core each
}

const (
	perMessage   = "µs CPU/message"
	perDelivery  = "µs CPU/delivery"
	perHandshake = "µs CPU/handshake"
	perRequest   = "µs CPU/request"
	perIdle      = "KiB/connection"
	slowest      = "µs, 99th percentile"
	longestEcho  = "longest echo of another socket, ms"
)

var (
	sockets    = []string{"gws", "gorilla", "coder", "gobwas", "melody", "nbio", "fasthttp", "ws", "bun", "nextrush"}
	echoes     = slices.Insert(slices.Clone(sockets), slices.Index(sockets, "ws")+1, "socket.io")
	rooms      = []string{"gws", "gorilla", "melody", "nbio", "fasthttp", "ws", "socket.io", "bun", "nextrush"}
	fewSockets = []string{"gws", "gorilla", "nbio", "bun", "nextrush"} // for cases whose runs take long
	packed     = []string{"gws-z", "gorilla-z", "coder-z", "bun-z", "nextrush-z"}
	frameworks = []string{"httprouter", "net/http", "gin", "echo", "chi", "fiber", "express", "fastify", "nextrush", "nextrush-net/http"}
	stacked    = []string{"chi", "gin", "echo", "fiber", "nextrush", "nextrush-net/http"}
	fewHTTP    = []string{"net/http", "fiber", "nextrush", "nextrush-net/http"}
	drivers    = []string{"nextrush-portable", "nextrush"}
	driversTLS = []string{"nextrush-portable-tls", "nextrush-tls"}
)

var cases = slices.Concat(compared, connections, fairness)

// connections are about what a server of HTTP does with connections, whatever the framework.
var connections = []benchCase{
	overHTTP("request of a browser, plain", "fiber", append(request("GET", "/plain", ""), "-browser")...),
	overHTTP("pipelined, 16 in flight, plain", "fiber", append(request("GET", "/plain", ""), "-inflight", "16")...),
	overHTTP("handler that waits 1 ms, 1,000 connections", "net/http", waiting...),
	{name: "http latency of a handler that waits 1 ms at half the saturating rate, 1,000 connections", kind: latency, unit: slowest,
		base: "net/http", libs: fewHTTP, load: waiting},
	{name: "http latency of plain at half the saturating rate, one request in 100 waits 5 ms, 640 connections", kind: latency, unit: slowest,
		note: "Only the requests that do not wait count.",
		base: "net/http", libs: fewHTTP, load: []string{"-mode", "http", "-conns", "640", "-path", "/plain", "-slow", "/wait5"}},
	{name: "http idle 10k, made one request", kind: memory, unit: perIdle, base: "net/http", libs: fewHTTP,
		load: []string{"-mode", "kept", "-conns", "10000", "-path", "/plain"}},
	overHTTP("upload of 1 MiB, 8 connections", "net/http", "-mode", "upload", "-conns", "8", "-path", "/upload", "-size", "1048576"),
	overHTTP("file of 1 MiB, 8 connections", "net/http", "-mode", "download", "-conns", "8", "-path", "/file", "-size", "1048576"),
	{name: "http events to 1,000 clients, 128 B", unit: perDelivery, base: "net/http", libs: fewHTTP,
		load: []string{"-mode", "events", "-conns", "1000", "-path", "/events", "-size", "128"}},
}

var waiting = []string{"-mode", "http", "-conns", "1000", "-path", "/wait1"}

func overHTTP(name, base string, load ...string) benchCase {
	return benchCase{name: "http " + name, load: load, base: base, libs: fewHTTP, unit: perRequest}
}

// fairness compares our own two drivers: a goroutine for each socket is as fair
// as Go's scheduler.
var fairness = slices.Concat(
	block("1000 × 10 s", drivers, nil, "-conns", "1000", "-path", "/block?for=10s"),
	block("1000 × 3 ms", drivers, nil, "-conns", "1000", "-path", "/block?for=3ms"),
	block("200 × 10 ms beside 12000 idle", drivers, nil, "-conns", "200", "-idle", "12000", "-path", "/block?for=10ms"),
	block("20 × 1 s beside 12000 idle", drivers, nil, "-conns", "20", "-idle", "12000", "-path", "/block?for=1s"),
	block("200 × 10 ms beside 5000 idle", drivers, nil, "-conns", "200", "-idle", "5000", "-path", "/block?for=10ms"),
	block("1 × 4 s without a free descriptor", drivers, fewFiles, "-conns", "1", "-fill", "-path", "/block?for=4s"),
	block("50 × 4 s without a free descriptor", drivers, fewFiles, "-conns", "50", "-fill", "-path", "/block?for=4s"),
	block("1000 × 3 ms over TLS", driversTLS, nil, "-conns", "1000", "-tls", "-path", "/block?for=3ms"),
)

var fewFiles = []string{"-nofile", "120"}

var compared = []benchCase{
	echo("1 in flight, 200 connections, 128 B", echoes, "-conns", "200"),
	echo("16 in flight, 100 connections, 128 B", echoes, "-conns", "100", "-inflight", "16"),
	echo("on 10k connections, 1 in flight, 128 B", fewSockets, "-conns", "10000"),
	echo("64 KiB, 1 in flight, 20 connections", fewSockets, "-conns", "20", "-size", "65536"),
	echo("1 MiB, 1 in flight, 20 connections", fewSockets, "-conns", "20", "-size", "1048576"),
	{name: "ws deflate echo, 100 connections, 1 in flight, 512 B of JSON", unit: perMessage, base: "gws-z", libs: packed,
		load: []string{"-mode", "echo", "-deflate", "-size", "512"}},
	fanout("1 outstanding, 1,000 in a room, 128 B", rooms, "-conns", "1000"),
	fanout("16 outstanding, 1,000 in a room, 128 B", rooms, "-conns", "1000", "-inflight", "16"),
	fanout("to 10k, 1 outstanding, 128 B", fewSockets, "-conns", "10000"),
	{name: "ws handshake, 16 at a time", unit: perHandshake, base: "gws", libs: append(slices.Clone(sockets), "nextrush-net/http"),
		load: []string{"-mode", "handshake", "-conns", "16"}},

	{name: "ws latency of an echo at half the saturating rate, 200 connections, 128 B", kind: latency, unit: slowest,
		base: "gws", libs: sockets, load: []string{"-mode", "echo", "-conns", "200"}},
	{name: "ws stalled reader in a room of 1,000 at 20 messages a second, 4 KiB", kind: stalled, unit: slowest,
		note: "One more client in the room never reads. Its share fills the kernel's buffers before the times count; what follows waits in the server.",
		base: "gws", libs: []string{"gws", "gorilla", "melody", "nbio", "ws", "bun", "nextrush"},
		load: []string{"-mode", "fanout", "-path", "/room", "-conns", "1000", "-size", "4096", "-rate", "20", "-warm", "2500ms"}},

	idle("10k, talked once", "gws", sockets),
	idle("in a room, 10k, talked once, heartbeat on", "gws", []string{"gws", "bun", "nextrush"}, "-path", "/joined"),
	idle("over TLS in a room, 10k, talked once, heartbeat on", "gws-tls", []string{"gws-tls", "nextrush-tls"}, "-path", "/joined", "-tls"),

	route("plain", "GET", "/plain", ""),
	route("JSON", "GET", "/json", ""),
	route("parameter", "GET", "/users/4711", ""),
	route("bind and validate", "POST", "/users", `{"name":"Ada","email":"ada@example.org","age":36}`),
	stack("five middlewares and JSON", "chi", "five"),
	stack("production stack and JSON", "echo", "production"),
	{name: "http latency of JSON at half the saturating rate, 64 connections", kind: latency, unit: slowest,
		base: "httprouter", libs: []string{"httprouter", "net/http", "gin", "echo", "chi", "fiber", "nextrush", "nextrush-net/http"},
		load: request("GET", "/json", "")},
}

func echo(name string, libs []string, load ...string) benchCase {
	return benchCase{name: "ws echo " + name, load: append([]string{"-mode", "echo"}, load...),
		base: "gws", libs: libs, unit: perMessage}
}

func fanout(name string, libs []string, load ...string) benchCase {
	return benchCase{name: "ws fan-out " + name, load: append([]string{"-mode", "fanout", "-path", "/room"}, load...),
		base: "gws", libs: libs, unit: perDelivery}
}

func idle(name, base string, libs []string, load ...string) benchCase {
	return benchCase{name: "ws idle " + name, kind: memory, unit: perIdle,
		load: append([]string{"-mode", "idle", "-conns", "10000"}, load...), base: base, libs: libs}
}

func request(method, path, body string) []string {
	return []string{"-mode", "http", "-conns", "64", "-method", method, "-path", path, "-body", body}
}

func route(name, method, path, body string) benchCase {
	return benchCase{name: "http " + name, load: request(method, path, body),
		base: "httprouter", libs: frameworks, unit: perRequest}
}

// stack sends the requests of a page of another origin, and checks the headers that show
// that the middleware ran.
func stack(name, base, which string) benchCase {
	load := append(request("GET", "/json", ""), "-origin", "https://app.example", "-want",
		"X-Request-Id,Access-Control-Allow-Origin,X-Content-Type-Options,X-Frame-Options,Content-Security-Policy,Referrer-Policy")
	return benchCase{name: "http " + name, load: load, serve: []string{"-stack", which},
		base: base, libs: stacked, unit: perRequest}
}

// block is a case for a server on one core and one on both.
func block(name string, libs, serve []string, load ...string) (both []benchCase) {
	for _, cores := range []string{"", serverCore + "," + loadCore} {
		n := 1 + strings.Count(cores, ",")
		both = append(both, benchCase{name: fmt.Sprintf("ws blocked %s, GOMAXPROCS=%d", name, n), kind: blocked,
			load: append([]string{"-mode", "blocked"}, load...), serve: serve, base: libs[0], libs: libs, unit: longestEcho, cores: cores})
	}
	return both
}
