package main

// benchCase is one kind of load and who has to bear it.
type benchCase struct {
	name  string
	load  []string // arguments of cmd/load
	serve []string // arguments of cmd/serve besides -lib
	base  string   // server that the others are compared with
	libs  []string // of cmd/serve, or scripts
	unit  string
}

const (
	perMessage   = "µs CPU/message"
	perDelivery  = "µs CPU/delivery"
	perHandshake = "µs CPU/handshake"
	perRequest   = "µs CPU/request"
	perIdle      = "KiB/connection"
)

var (
	sockets    = []string{"gws", "gorilla", "coder", "gobwas", "melody", "ws", "bun", "nextrush"}
	rooms      = []string{"gws", "gorilla", "melody", "ws", "bun", "nextrush"}
	fewSockets = []string{"gws", "gorilla", "bun", "nextrush"} // where a run takes long
	frameworks = []string{"httprouter", "net/http", "gin", "echo", "chi", "fiber", "express", "fastify", "nextrush"}
	stacked    = []string{"chi", "gin", "echo", "nextrush"}
)

var cases = []benchCase{
	echo("100 connections, 16 in flight, 128 B", sockets, "-inflight", "16"),
	echo("100 connections, 1 in flight, 128 B", sockets),
	echo("5,000 connections, 1 in flight, 128 B", fewSockets, "-conns", "5000"),
	echo("20 connections, 1 in flight, 64 KiB", fewSockets, "-conns", "20", "-size", "65536"),
	{name: "ws idle, 10,000 connections that talked once", unit: perIdle, base: "gws", libs: sockets,
		load: []string{"-mode", "idle", "-conns", "10000"}},
	{name: "ws deflate echo, 100 connections, 1 in flight, 1 KiB", unit: perMessage,
		base: "gws-z", libs: []string{"gws-z", "nextrush-z"},
		load: []string{"-mode", "echo", "-deflate", "-size", "1024"}},
	fanout("1,000 in a room, 1 outstanding, 128 B", rooms, "-conns", "1000"),
	fanout("1,000 in a room, 16 outstanding, 128 B", rooms, "-conns", "1000", "-inflight", "16"),
	{name: "ws handshake, 16 at a time", unit: perHandshake, base: "gws", libs: sockets,
		load: []string{"-mode", "handshake", "-conns", "16"}},

	route("plain", "GET", "/plain", ""),
	route("JSON", "GET", "/json", ""),
	route("parameter", "GET", "/users/4711", ""),
	route("bind and validate", "POST", "/users", `{"name":"Ada","email":"ada@example.org","age":36}`),
	stack("five middlewares and JSON", "chi", "five"),
	stack("production stack and JSON", "echo", "production"),
}

func echo(name string, libs []string, load ...string) benchCase {
	return benchCase{name: "ws echo, " + name, load: append([]string{"-mode", "echo"}, load...),
		base: "gws", libs: libs, unit: perMessage}
}

func fanout(name string, libs []string, load ...string) benchCase {
	return benchCase{name: "ws fan-out, " + name, load: append([]string{"-mode", "fanout", "-path", "/room"}, load...),
		base: "gws", libs: libs, unit: perDelivery}
}

func request(method, path, body string) []string {
	return []string{"-mode", "http", "-conns", "64", "-method", method, "-path", path, "-body", body}
}

func route(name, method, path, body string) benchCase {
	return benchCase{name: "http " + name, load: request(method, path, body),
		base: "httprouter", libs: frameworks, unit: perRequest}
}

// stack asks as a page of another origin does, and wants the headers by which
// the middleware shows that it ran.
func stack(name, base, which string) benchCase {
	load := append(request("GET", "/json", ""), "-origin", "https://app.example", "-want",
		"X-Request-Id,Access-Control-Allow-Origin,X-Content-Type-Options,X-Frame-Options,Content-Security-Policy,Referrer-Policy")
	return benchCase{name: "http " + name, load: load, serve: []string{"-stack", which},
		base: base, libs: stacked, unit: perRequest}
}
