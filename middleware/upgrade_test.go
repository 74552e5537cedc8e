package middleware_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

const handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// rawFront serves a quiet App before the target, and returns its address.
func rawFront(t *testing.T, target string, o middleware.ReverseProxyOptions, before ...nextrush.Handler) string {
	t.Helper()
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(before)
	app.Any("/*path", middleware.ReverseProxy(target, o))
	server := apptest.Serve(app)
	t.Cleanup(server.Close)
	return server.Addr
}

// exchange writes a request on a connection of its own, and reads the answer.
func exchange(t *testing.T, addr, request string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, request)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp, conn, r
}

// rawTarget answers every request with the text, and reports when its client has
// closed the connection.
func rawTarget(t *testing.T, answer string) (url string, closed chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	closed = make(chan error, 1)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				io.WriteString(conn, answer)
				conn.SetReadDeadline(time.Now().Add(time.Minute))
				_, err := r.ReadByte()
				closed <- err
			}()
		}
	}()
	return "http://" + ln.Addr().String(), closed
}

func TestReverseProxyForwardsTheUpgradeOfWebSocketsAlone(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Connection", "Upgrade", "Http2-Settings", "HTTP2_Settings", "X-Named"} {
			fmt.Fprintf(w, "%s;", strings.Join(r.Header[name], "|"))
		}
	})
	const plain, upgraded = ";;;;;", "Upgrade;websocket;;;;"
	addr := rawFront(t, target, middleware.ReverseProxyOptions{})
	line := func(old, new string) string { return strings.Replace(handshake, old, new, 1) }
	for name, test := range map[string]struct{ start, header, want string }{
		"a WebSocket":                    {"GET / HTTP/1.1", handshake, upgraded},
		"in capitals":                    {"GET / HTTP/1.1", line("websocket", "WebSocket"), upgraded},
		"among other options":            {"GET / HTTP/1.1", line("Upgrade", "keep-alive,\tupgrade"), upgraded},
		"on another line":                {"GET / HTTP/1.1", "Connection: keep-alive\r\n" + handshake, upgraded},
		"a setting beside it":            {"GET / HTTP/1.1", "HTTP2-Settings: AAMA\r\n" + handshake, upgraded},
		"a field that Connection names":  {"GET / HTTP/1.1", "X-Named: 1\r\n" + line("Upgrade", "Upgrade, X-Named"), upgraded},
		"h2c":                            {"GET / HTTP/1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", plain},
		"h2c whose setting is not named": {"GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", plain},
		"h2c in other letters":           {"GET / HTTP/1.1", "CONNECTION: uPGRADE\r\nuPGRADE: H2C\r\nhttp2-SETTINGS: AAMA\r\nhttp2_settings: AAMA\r\n", plain},
		"h2c as a WebSocket":             {"GET / HTTP/1.1", line("websocket", "h2c"), plain},
		"a setting alone":                {"GET / HTTP/1.1", "HTTP2-Settings: AAMA\r\n", plain},
		"a list":                         {"GET / HTTP/1.1", line("websocket", "websocket, h2c"), plain},
		"a list that begins elsewhere":   {"GET / HTTP/1.1", line("websocket", "h2c, websocket"), plain},
		"two lines":                      {"GET / HTTP/1.1", handshake + "Upgrade: h2c\r\n", plain},
		"two lines, the other first":     {"GET / HTTP/1.1", "Upgrade: h2c\r\n" + handshake, plain},
		"a version of the protocol":      {"GET / HTTP/1.1", line("websocket", "websocket/13"), plain},
		"letters outside ASCII":          {"GET / HTTP/1.1", line("websocket", "websoc\u212Aet"), plain},
		"control characters":             {"GET / HTTP/1.1", line("websocket", "websocket\u0080"), plain},
		"an unknown protocol":            {"GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: foo\r\n", plain},
		"TLS":                            {"GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", plain},
		"not in Connection":              {"GET / HTTP/1.1", line("Upgrade", "keep-alive"), plain},
		"no Connection":                  {"GET / HTTP/1.1", line("Connection: Upgrade\r\n", ""), plain},
		"options without a comma":        {"GET / HTTP/1.1", line("Upgrade", "keep-alive upgrade"), plain},
		"another version":                {"GET / HTTP/1.1", line("13", "8"), plain},
		"two versions":                   {"GET / HTTP/1.1", line("13", "13, 8"), plain},
		"two lines of versions":          {"GET / HTTP/1.1", handshake + "Sec-WebSocket-Version: 13\r\n", plain},
		"no version":                     {"GET / HTTP/1.1", line("Sec-WebSocket-Version: 13\r\n", ""), plain},
		"a short key":                    {"GET / HTTP/1.1", line("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), plain},
		"no base64":                      {"GET / HTTP/1.1", line("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!=="), plain},
		"two keys":                       {"GET / HTTP/1.1", handshake + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", plain},
		"no key":                         {"GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", plain},
		"POST":                           {"POST / HTTP/1.1", handshake + "Content-Length: 0\r\n", plain},
		"a body":                         {"GET / HTTP/1.1", handshake + "Content-Length: 1\r\n", plain},
		"HTTP/1.0":                       {"GET / HTTP/1.0", handshake, plain},
	} {
		body := ""
		if strings.HasSuffix(test.header, "Length: 1\r\n") {
			body = "x"
		}
		resp, _, _ := exchange(t, addr, test.start+"\r\nHost: a.example\r\n"+test.header+"\r\n"+body)
		got, _ := io.ReadAll(resp.Body)
		if string(got) != test.want {
			t.Errorf("%s: %s %s, want %s", name, resp.Status, got, test.want)
		}
	}
}

func TestReverseProxyRefusesOther101s(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\n"
	const to = switching + "Connection: Upgrade\r\nUpgrade: "
	h2c := "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
	wrapped := middleware.ReverseProxyOptions{ModifyResponse: func(r *http.Response) error {
		r.Body = struct{ io.ReadCloser }{r.Body}
		return nil
	}}
	deaf := middleware.ReverseProxyOptions{ModifyResponse: func(r *http.Response) error {
		r.Body = http.NoBody
		return nil
	}}
	renamed := middleware.ReverseProxyOptions{ModifyResponse: func(r *http.Response) error {
		r.StatusCode = 200
		return nil
	}}
	refusing := middleware.ReverseProxyOptions{ModifyResponse: func(*http.Response) error { return nextrush.NewError(418) }}
	hiding := func(c *nextrush.Context) error {
		c.SetWriter(struct{ http.ResponseWriter }{c.Writer()})
		return c.Next()
	}
	pass := func(c *nextrush.Context) error { return c.Next() }
	for name, test := range map[string]struct {
		header, answer string
		o              middleware.ReverseProxyOptions
		before         nextrush.Handler
		want           int
	}{
		"to a plain request":                {"", to + "websocket\r\n\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"to h2c":                            {h2c, to + "h2c\r\n\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"to h2c, as a WebSocket":            {h2c, to + "websocket\r\n\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"with another protocol":             {handshake, to + "h2c\r\n\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"with two":                          {handshake, to + "websocket, h2c\r\n\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"with a second line":                {handshake, to + "websocket\r\nUpgrade: h2c\r\n\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"without a protocol":                {handshake, switching + "\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"without Connection":                {handshake, switching + "Upgrade: websocket\r\n\r\n", middleware.ReverseProxyOptions{}, pass, 502},
		"whose body has been wrapped":       {handshake, to + "websocket\r\n\r\n", wrapped, pass, 502},
		"whose body has been replaced":      {handshake, to + "websocket\r\n\r\n", deaf, pass, 502},
		"whose status has been replaced":    {handshake, to + "websocket\r\n\r\n", renamed, pass, 502},
		"that ModifyResponse refuses":       {handshake, to + "websocket\r\n\r\n", refusing, pass, 418},
		"behind a writer that hides itself": {handshake, to + "websocket\r\n\r\n", middleware.ReverseProxyOptions{}, hiding, 500},
	} {
		target, closed := rawTarget(t, test.answer)
		addr := rawFront(t, target, test.o, test.before)
		resp, _, _ := exchange(t, addr, "GET / HTTP/1.1\r\nHost: a.example\r\n"+test.header+"\r\n")
		if resp.StatusCode != test.want {
			t.Errorf("%s: %s, want %d", name, resp.Status, test.want)
		}
		if resp.Header.Get("Upgrade") != "" || resp.Header.Get("Sec-Websocket-Accept") != "" {
			t.Errorf("%s: the answer has %v", name, resp.Header)
		}
		if err := <-closed; err != io.EOF {
			t.Errorf("%s: the target's connection: %v", name, err)
		}
	}
}

func TestReverseProxyDropsFieldsOfTheTargetsConnection(t *testing.T) {
	target, _ := rawTarget(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: X-Secret, upgrade\r\nUpgrade: WebSocket\r\n"+
		"X-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nTrailer: X\r\nX-B: theirs\r\nSec-WebSocket-Accept: y\r\n\r\n")
	addr := rawFront(t, target, middleware.ReverseProxyOptions{}, func(c *nextrush.Context) error {
		c.SetHeader("X-A", "ours").SetHeader("X-B", "ours").SetHeader("Content-Length", "5")
		return c.Next()
	})
	resp, _, _ := exchange(t, addr, "GET / HTTP/1.1\r\nHost: a.example\r\n"+handshake+"\r\n")
	want := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "X-A": {"ours"}, "X-B": {"theirs"}, "Sec-Websocket-Accept": {"y"}}
	if resp.StatusCode != 101 || fmt.Sprint(resp.Header) != fmt.Sprint(want) {
		t.Errorf("%s %v\nwant %v", resp.Status, resp.Header, want)
	}
}

// What a client sends before the 101 is passed on, though RFC 6455 §4.1 has it wait.
func TestReverseProxyPassesWhatComesEarly(t *testing.T) {
	back := nextrush.New()
	back.EnableWebSocket(websocket.Options{})
	back.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	addr := rawFront(t, upstream(t, back.ServeHTTP), middleware.ReverseProxyOptions{})
	early := string([]byte{0x81, 0x82, 0, 0, 0, 0}) + "hi"
	resp, _, r := exchange(t, addr, "GET / HTTP/1.1\r\nHost: a.example\r\n"+handshake+"\r\n"+early)
	if resp.StatusCode != 101 {
		t.Fatal(resp.Status)
	}
	echo := make([]byte, 4)
	if _, err := io.ReadFull(r, echo); err != nil || string(echo) != "\x81\x02hi" {
		t.Errorf("%q %v", echo, err)
	}
}

func TestReverseProxyFreesTheSlotAtThe101(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 1, MaxWait: time.Minute}))
	var codes []int
	app.Use(func(c *nextrush.Context) error {
		err := c.Next()
		codes = append(codes, c.StatusCode())
		return err
	})
	app.Any("/*path", middleware.ReverseProxy(echoing(t)))
	c := nextrushtest.New(t, app)
	for range 5 {
		s := c.Dial("/")
		s.Send("open")
		s.Expect("open")
	}
	if w := ask(app, "/"); w.Code != 426 {
		t.Errorf("a request beside five sockets: %d", w.Code)
	}
	if want := "[101 101 101 101 101 426]"; fmt.Sprint(codes) != want {
		t.Errorf("statuses %v, want %s", codes, want)
	}
}

// echoing is the URL of a target whose sockets send back what they get.
func echoing(t *testing.T) string {
	back := nextrush.New()
	back.EnableWebSocket(websocket.Options{})
	back.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	return upstream(t, back.ServeHTTP)
}

// relayed is an App before a target with sockets, over TLS on both ways or on none.
// Each socket that ends at the target tells its code in closed.
type relayed struct {
	front, back *nextrush.App
	url         string
	options     *websocket.DialOptions
	closed      chan websocket.StatusCode
}

func relay(t *testing.T, secure bool) *relayed {
	r := &relayed{front: nextrush.New(), back: nextrush.New(), closed: make(chan websocket.StatusCode, 1000)}
	r.back.EnableWebSocket(websocket.Options{})
	r.back.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.Close(4001, "bye") })
		s.OnClose(func(code websocket.StatusCode, _ string) { r.closed <- code })
		return nil
	})
	target, server := httptest.NewUnstartedServer(r.back), httptest.NewUnstartedServer(r.front)
	t.Cleanup(target.Close)
	t.Cleanup(server.Close)
	var o middleware.ReverseProxyOptions
	r.options = &websocket.DialOptions{}
	if secure {
		server.EnableHTTP2, target.EnableHTTP2 = true, true
		target.StartTLS()
		server.StartTLS()
		o.Transport = target.Client().Transport
		r.options.TLSConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	} else {
		target.Start()
		server.Start()
	}
	r.front.Any("/*path", middleware.ReverseProxy(target.URL, o))
	r.url = "ws" + strings.TrimPrefix(server.URL, "http")
	return r
}

func (r *relayed) dial(t *testing.T) *websocket.Socket {
	t.Helper()
	s, err := websocket.Dial(t.Context(), r.url, r.options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantClosed reads until the other side has closed with the code.
func wantClosed(t *testing.T, s *websocket.Socket, code websocket.StatusCode) {
	t.Helper()
	m, err := s.Receive(t.Context())
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != code || !closed.Remote {
		t.Errorf("%s %v, want %d", m.Bytes(), err, code)
	}
}

func forPlainAndTLS(t *testing.T, f func(t *testing.T, r *relayed)) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) { f(t, relay(t, secure)) })
	}
}

func TestReverseProxyPassesClosesBothWays(t *testing.T) {
	forPlainAndTLS(t, func(t *testing.T, r *relayed) {
		s := r.dial(t)
		s.Close(4000, "bye")
		if code := <-r.closed; code != 4000 {
			t.Errorf("the target got %d", code)
		}
		s = r.dial(t)
		s.SendText("close it")
		wantClosed(t, s, 4001)
		if code := <-r.closed; code != 4001 {
			t.Errorf("the target ended with %d", code)
		}
	})
}

func TestShutdownEndsProxiedSockets(t *testing.T) {
	forPlainAndTLS(t, func(t *testing.T, r *relayed) {
		const n = 100
		var sockets []*websocket.Socket
		for range n {
			sockets = append(sockets, r.dial(t))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.front.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		for _, s := range sockets {
			wantClosed(t, s, websocket.StatusGoingAway)
			if code := <-r.closed; code != websocket.StatusGoingAway {
				t.Errorf("a socket of the target ended with %d", code)
			}
		}
		_, err := websocket.Dial(t.Context(), r.url, r.options)
		var refused *websocket.HandshakeError
		if !errors.As(err, &refused) || refused.Status != 503 {
			t.Errorf("a socket after shutdown: %v", err)
		}
	})
}

func TestShutdownCutsProxiedSocketsThatStay(t *testing.T) {
	target, closed := rawTarget(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x82")
	app := front(target)
	server := apptest.Serve(app)
	defer server.Close()
	_, _, r := exchange(t, server.Addr, "GET / HTTP/1.1\r\nHost: a.example\r\n"+handshake+"\r\n\x82")
	if b, err := r.ReadByte(); b != 0x82 || err != nil {
		t.Errorf("%x %v", b, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := app.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "1 hijacked connections were cut") {
		t.Errorf("error %v", err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the client is still connected")
	}
	<-closed // with the byte that the client has sent
}
