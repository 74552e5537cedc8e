package main

// benchCase is one kind of load and who has to bear it.
type benchCase struct {
	name string
	load []string // arguments of cmd/load
	base string   // server that the others are compared with
	libs []string // of cmd/serve
	unit string
}

const (
	perMessage = "µs CPU/message"
	perRequest = "µs CPU/request"
	perIdle    = "KiB/connection"
)

var (
	sockets    = []string{"gws", "gorilla", "coder", "gobwas", "melody", "ws", "bun", "nextrush"}
	frameworks = []string{"httprouter", "gin", "echo", "chi", "fiber", "nextrush"}
)

var cases = []benchCase{
	{"ws echo, 100 connections, 16 in flight, 128 B",
		[]string{"-mode", "echo", "-inflight", "16"}, "gws", sockets, perMessage},
	{"ws echo, 100 connections, 1 in flight, 128 B",
		[]string{"-mode", "echo"}, "gws", sockets, perMessage},
	{"ws echo, 5,000 connections, 1 in flight, 128 B",
		[]string{"-mode", "echo", "-conns", "5000"}, "gws", []string{"gws", "gorilla", "bun", "nextrush"}, perMessage},
	{"ws echo, 20 connections, 1 in flight, 64 KiB",
		[]string{"-mode", "echo", "-conns", "20", "-size", "65536"}, "gws", []string{"gws", "gorilla", "bun", "nextrush"}, perMessage},
	{"ws idle, 10,000 connections that talked once",
		[]string{"-mode", "idle", "-conns", "10000"}, "gws", sockets, perIdle},
	{"ws deflate echo, 100 connections, 1 in flight, 1 KiB",
		[]string{"-mode", "echo", "-deflate", "-size", "1024"}, "gws-z",
		[]string{"gws-z", "nextrush-z"}, perMessage},
	{"ws fan-out, 1,000 in a room, 1 outstanding, 128 B",
		[]string{"-mode", "fanout", "-path", "/room", "-conns", "1000"}, "gws",
		[]string{"gws", "gorilla", "melody", "ws", "bun", "nextrush"}, "µs CPU/delivery"},
	{"ws fan-out, 1,000 in a room, 16 outstanding, 128 B",
		[]string{"-mode", "fanout", "-path", "/room", "-conns", "1000", "-inflight", "16"}, "gws",
		[]string{"gws", "gorilla", "melody", "ws", "bun", "nextrush"}, "µs CPU/delivery"},
	{"ws handshake, 16 at a time",
		[]string{"-mode", "handshake", "-conns", "16"}, "gws", sockets, "µs CPU/handshake"},
	{"http plain", route("GET", "/plain", ""), "httprouter", frameworks, perRequest},
	{"http JSON", route("GET", "/json", ""), "httprouter", frameworks, perRequest},
	{"http parameter", route("GET", "/users/4711", ""), "httprouter", frameworks, perRequest},
	{"http bind and validate", route("POST", "/users", `{"name":"Ada","email":"ada@example.org","age":36}`),
		"httprouter", frameworks, perRequest},
}

func route(method, path, body string) []string {
	return []string{"-mode", "http", "-conns", "64", "-method", method, "-path", path, "-body", body}
}
