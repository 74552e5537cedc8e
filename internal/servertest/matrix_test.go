package servertest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// matrixCases combine what is easy to get right alone.
var matrixCases = slices.Concat(pairs(), informational(), trailerKinds(), expectations(), manyOf(), mixes())

// kinds are requests with all kinds of framing, and answers likewise by their paths.
var kinds = []struct{ name, bytes string }{
	{"GET", get("/length")}, {"HEAD", request("HEAD /length HTTP/1.1")}, {"POST", strings.Replace(post("hello"), " / ", " /length ", 1)}, {"chunks", strings.Replace(chunked("5\r\nhello\r\n0\r\nX: y\r\n\r\n"), " / ", " /length ", 1)},
	{"GET of chunks", get("/chunks")}, {"HEAD of chunks", request("HEAD /chunks HTTP/1.1")}, {"204", get("/204")}, {"304", get("/304")}, {"unread POST", strings.Replace(post("hello"), " / ", " /204 ", 1)}, {"HTTP/1.0", request("GET /length HTTP/1.0", "Connection: keep-alive")},
	{"103", get("/103")}, {"Expect", strings.Replace(expects, " / ", " /length ", 1) + "hello"},
}

// byPath answers as the path says.
func byPath(p *play, w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/204":
		w.WriteHeader(204)
		return
	case "/304":
		w.WriteHeader(304)
		return
	case "/103":
		w.Header().Set("Link", "x")
		w.WriteHeader(103)
	}
	b, err := io.ReadAll(r.Body)
	io.WriteString(w, r.Method+" "+string(b)+" "+errText(err))
	if r.URL.Path == "/chunks" {
		http.NewResponseController(w).Flush()
		io.WriteString(w, "more")
	}
}

// pairs pipelines one request behind another, as what is left of the first shows in the second.
func pairs() (all []testCase) {
	for _, a := range kinds {
		for _, b := range kinds {
			all = append(all, testCase{name: fmt.Sprintf("35 %s, then %s", a.name, b.name), handler: byPath, send: a.bytes + b.bytes})
		}
	}
	return all
}

func informational() (all []testCase) {
	for _, code := range []int{100, 102, 103, 150, 199} {
		for _, line := range []string{"GET / HTTP/1.1", "HEAD / HTTP/1.1", "GET / HTTP/1.0"} {
			for _, then := range []int{200, 204, 304, 500} {
				h := func(p *play, w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X", "1")
					w.WriteHeader(code)
					w.Header().Set("X", "2")
					w.WriteHeader(then)
				}
				all = append(all, testCase{name: fmt.Sprintf("31 %d, then %d, %s", code, then, line), handler: h, send: request(line)})
			}
		}
	}
	return all
}

func trailerKinds() (all []testCase) {
	for _, line := range []string{"GET / HTTP/1.1", "HEAD / HTTP/1.1", "GET / HTTP/1.0"} {
		for _, framing := range []string{"X: y", "Content-Length: 2", "Transfer-Encoding: chunked", "Connection: close"} {
			for _, body := range []string{"", "ok"} {
				for _, name := range []string{"X-T", "Trailer:X-T"} {
					h := func(p *play, w http.ResponseWriter, r *http.Request) {
						setFields(w.Header(), []string{framing, "Trailer: X-T"})
						io.WriteString(w, body)
						w.Header().Set(name, "v")
					}
					all = append(all, testCase{name: fmt.Sprintf("32 %s of %q, %s, %s", name, body, framing, line), handler: h, send: request(line)})
				}
			}
		}
	}
	return all
}

// expectations have a body in the same packet, so that nobody waits.
func expectations() (all []testCase) {
	framings := []struct{ field, body string }{{"Content-Length: 5", "hello"}, {"Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"}, {"Content-Length: 0", ""}, {"X: y", ""}}
	answers := []struct {
		name string
		handler
	}{{"read", echo}, {"read in part", readsSome(2)}, {"status", status(200, "ok")}, {"read after the header", readsAfterHeader}, {"closed", closesBody}, {"continued by hand", continuesByHand}}
	for _, f := range framings {
		for _, a := range answers {
			for _, version := range []string{"1.1", "1.0"} {
				c := testCase{name: fmt.Sprintf("43 %s, %s, HTTP/%s", f.field, a.name, version), handler: a.handler,
					send: request("POST / HTTP/"+version, f.field, "Connection: keep-alive", "Expect: 100-continue") + f.body}
				if version == "1.0" && strings.HasPrefix(f.field, "Transfer") {
					c.strict = refused
				}
				all = append(all, c)
			}
		}
	}
	return all
}

// manyOf has a lot of something, below and above what is allowed.
func manyOf() (all []testCase) {
	add := func(name string, sizes []int, make func(n int) string) {
		for _, n := range sizes {
			all = append(all, testCase{name: fmt.Sprintf("12 %d %s", n, name), send: make(n), handler: status(200, "ok")})
		}
	}
	add("fields of a name", []int{1000, 5000, 20_000}, func(n int) string { return get("/", strings.Repeat("a: b\r\n", n)+"c: d") })
	add("bytes of a target", []int{1000, 4096, 8192, 60_000, 80_000}, func(n int) string { return get("/" + strings.Repeat("a", n)) })
	add("bytes of a query", []int{4096, 60_000, 80_000}, func(n int) string { return get("/?" + strings.Repeat("a", n)) })
	add("bytes of a value", []int{4096, 8192, 60_000, 80_000}, func(n int) string { return get("/", "a: "+strings.Repeat("b", n)) })
	add("bytes of a name", []int{4096, 60_000, 80_000}, func(n int) string { return get("/", strings.Repeat("b", n)+": c") })
	add("spaces before a value", []int{4096, 80_000}, func(n int) string { return get("/", "a:"+strings.Repeat(" ", n)+"b") })
	add("bytes of a method", []int{4096, 80_000}, func(n int) string { return request(strings.Repeat("M", n) + " / HTTP/1.1") })
	add("bytes of a Host", []int{255, 4096, 80_000}, func(n int) string {
		return "GET / HTTP/1.1\r\nHost: " + strings.Repeat("h", n) + "\r\n\r\n"
	})
	add("digits of a length", []int{19, 100, 1000}, func(n int) string { return request("POST / HTTP/1.1", "Content-Length: "+strings.Repeat("0", n)) })
	add("empty lines", []int{1, 2, 3, 1000}, func(n int) string { return post("hello") + strings.Repeat("\r\n", n) })
	return all
}

// mixes are connections with several requests, one after the other.
func mixes() (all []testCase) {
	for at := range kinds {
		var script []step
		for i := range 4 {
			k := kinds[(at+5*i)%len(kinds)]
			take := answer
			if strings.HasPrefix(k.name, "HEAD") {
				take = headAnswer
			}
			script = append(script, send(k.bytes), take)
		}
		all = append(all, testCase{name: fmt.Sprintf("33 %s first, then three others", kinds[at].name), handler: byPath, script: append(script, kept)})
	}
	return all
}
