package h1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"sync"
	"testing"
	"time"
)

const maxHeaderBytes = 64 << 10

// A judge is net/http's server, which says of any bytes whether they are a request, which
// one, and what is answered.
type judge struct {
	http.Server
	conns chan net.Conn
}

// theJudge is one for all tests: its connections are in memory and know nothing of each other.
var theJudge = sync.OnceValue(newJudge)

func newJudge() *judge {
	j := &judge{conns: make(chan net.Conn)}
	j.MaxHeaderBytes = maxHeaderBytes
	j.DisableGeneralOptionsHandler = true
	j.ErrorLog = log.New(io.Discard, "", 0)
	j.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	j.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(connKey{}).(*conn)
		was := *r
		was.Trailer = r.Trailer.Clone() // it is filled when the body ends
		c.requests = append(c.requests, &was)
		c.handler(w, r)
	})
	go j.Serve(j)
	return j
}

// end lets the judge return.
func (j *judge) end() { close(j.conns) }

type connKey struct{}

func (j *judge) Accept() (net.Conn, error) {
	if c, ok := <-j.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (j *judge) Close() error   { return nil }
func (j *judge) Addr() net.Addr { return &net.TCPAddr{} }

// serve gives net/http a connection on which data comes, and then the end.
func (j *judge) serve(data []byte, handler http.HandlerFunc) *conn {
	c := &conn{handler: handler, done: make(chan struct{})}
	c.in.Reset(data)
	j.conns <- c
	<-c.done
	return c
}

// A conn is a connection to the judge, and what was done with it.
type conn struct {
	in       bytes.Reader
	out      bytes.Buffer
	requests []*http.Request
	handler  http.HandlerFunc
	once     sync.Once
	done     chan struct{}
	mu       sync.Mutex // guards in, which net/http reads while a handler runs
}

func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.Read(b)
}

func (c *conn) Write(b []byte) (int, error) { return c.out.Write(b) }

func (c *conn) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

func (c *conn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *conn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// last is a handler after which net/http reads no further request.
func last(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }

// agree compares what Parse says of data with what net/http says.
func agree(t *testing.T, data []byte) {
	t.Helper()
	var h Head
	n, whole, err := h.Parse(data, 0, maxHeaderBytes)
	if err == ErrElsewhere {
		return
	}
	refusal, _ := err.(*Refusal)
	if refusal != nil && refusal.Stricter {
		if want := "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"; string(refusal.Append(nil, h.Asked(), "")) != want {
			t.Errorf("%q: refused with another answer than 400", data)
		}
		return
	}
	if refusal == errTooLarge {
		return // takes net/http half a second
	}
	c := theJudge().serve(data, last)
	switch {
	case refusal != nil:
		if got, want := refusal.Append(nil, h.Asked(), date), withoutDate(c.out.Bytes()); len(c.requests) > 0 || string(got) != string(want) {
			t.Errorf("%q:\nrefused with  %q\nnet/http says %q", data, got, want)
		}
	case !whole:
		if len(c.requests) > 0 {
			t.Errorf("%q: waits for more, net/http does not", data)
		}
	case len(c.requests) == 0:
		t.Errorf("%q: taken, net/http says %q", data, c.out.Bytes())
	default:
		sameRequest(t, data, &h, c.requests[0])
		sameEnd(t, data, n)
	}
}

const date = "Sun, 29 Nov 2026 12:00:00 GMT"

var dates = regexp.MustCompile("\r\nDate: .{25} GMT\r\n")

// withoutDate gives an answer of net/http the date of the tests.
func withoutDate(answer []byte) []byte {
	return dates.ReplaceAll(answer, []byte("\r\nDate: "+date+"\r\n"))
}

func sameRequest(t *testing.T, data []byte, h *Head, want *http.Request) {
	t.Helper()
	var got http.Request
	h.fill(&got, new(url.URL))
	for _, f := range []struct {
		name      string
		got, want any
	}{
		{"Method", got.Method, want.Method}, {"URL", got.URL, want.URL}, {"RequestURI", got.RequestURI, want.RequestURI},
		{"Proto", got.Proto, want.Proto}, {"ProtoMajor", got.ProtoMajor, want.ProtoMajor}, {"ProtoMinor", got.ProtoMinor, want.ProtoMinor},
		{"Header", got.Header, want.Header}, {"Host", got.Host, want.Host}, {"ContentLength", got.ContentLength, want.ContentLength},
		{"TransferEncoding", got.TransferEncoding, want.TransferEncoding}, {"Close", got.Close, want.Close},
		{"Trailer", got.Trailer, want.Trailer}, {"Upgrade", h.Upgrade, len(want.Header["Upgrade"]) > 0},
	} {
		if !reflect.DeepEqual(f.got, f.want) {
			t.Errorf("%q: %s is %#v, net/http has %#v", data, f.name, f.got, f.want)
		}
	}
	for name, v := range want.Header {
		if h.get(name) != v[0] {
			t.Errorf("%q: Get(%q) is %q", data, name, h.get(name))
		}
	}
	if h.get("Host") != "" || h.get("Transfer-Encoding") != "" || h.get("X-Not-There") != "" || h.get("") != "" {
		t.Errorf("%q: Get knows what is not there", data)
	}
}

// sameEnd compares where the body begins.
func sameEnd(t *testing.T, data []byte, n int) {
	t.Helper()
	in := bytes.NewReader(data)
	br := bufio.NewReader(in)
	if _, err := http.ReadRequest(br); err != nil {
		t.Errorf("%q: taken, ReadRequest says %v", data, err)
	}
	if rest := in.Len() + br.Buffered(); len(data)-n != rest {
		t.Errorf("%q: head has %d bytes, net/http says %d", data, n, len(data)-rest)
	}
}

// parts parses data as it comes in pieces of n bytes.
func parts(data []byte, size int) (h Head, n int, whole bool, err error) {
	from := 0
	for end := min(size, len(data)); ; end = min(end+size, len(data)) {
		h = Head{}
		n, whole, err = h.Parse(data[:end:end], from, maxHeaderBytes)
		if whole || err != nil || end == len(data) {
			return h, n, whole, err
		}
		from = n
	}
}

// sameInParts checks that it does not matter how data is split.
func sameInParts(t *testing.T, data []byte) {
	t.Helper()
	want, wantN, wantWhole, wantErr := parts(data, len(data)+1)
	for _, size := range []int{1, 2, 3, 5, 7, 64} {
		if len(data)/size > 1000 {
			continue
		}
		h, n, whole, err := parts(data, size)
		if n != wantN || whole != wantWhole || err != wantErr {
			t.Errorf("%q in pieces of %d bytes: %d, %v, %v; else %d, %v, %v", data, size, n, whole, err, wantN, wantWhole, wantErr)
		} else if whole && !reflect.DeepEqual(h, want) {
			t.Errorf("%q in pieces of %d bytes: %+v; else %+v", data, size, h, want)
		}
	}
}
