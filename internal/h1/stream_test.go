package h1

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An exchange is a request on a connection, with as much of its body as came.
type exchange struct {
	method, target, host, body string
	whole                      bool // whether the body ended
}

// exchanges reads all of data as a server does that answers each request with nothing but
// a head. refusal is why it ended, if it was refused, and asked of which request.
func exchanges(data []byte) (done []exchange, asked Asked, refusal *Refusal) {
	var h Head
	for {
		if len(done) > 0 && len(data) < 4 {
			return done, asked, nil // net/http does not look at fewer bytes of another request
		}
		if h.Method == "POST" {
			n, _ := SkipLines(data)
			data = data[n:]
		}
		n, whole, err := h.Parse(data, 0, maxHeaderBytes)
		if err != nil || !whole {
			refusal, _ = err.(*Refusal)
			return done, h.Asked(), refusal
		}
		b := h.Body()
		content, took, err := read(&b, data[n:], len(data))
		done = append(done, exchange{h.Method, h.Target, h.Host, string(content), err == io.EOF})
		a := Answer{Asked: h.Asked(), Status: 200, Length: -1, Done: true}
		if f := a.Framing(); err != io.EOF || f.Close {
			refusal, _ = err.(*Refusal)
			return done, h.Asked(), refusal
		}
		data = data[n+took:]
	}
}

// streamsAgree compares all requests in data with those that net/http finds there.
func streamsAgree(t *testing.T, data []byte) {
	t.Helper()
	var theirs []exchange
	c := theJudge().serve(data, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		theirs = append(theirs, exchange{r.Method, r.RequestURI, r.Host, string(body), err == nil})
	})
	if bytes.Contains(data, []byte("CONNECT")) || bytes.Contains(data, []byte("PRI ")) {
		return
	}
	ours, asked, refusal := exchanges(data)
	for i, e := range ours {
		if refusal != nil && refusal.Stricter && i == len(ours)-1 && !e.whole {
			return
		}
		if i >= len(theirs) || e.whole != theirs[i].whole || e.whole && e != theirs[i] {
			t.Fatalf("%q:\nrequest %d is  %+v\nof net/http's %+v", data, i, e, theirs)
		}
	}
	if refusal != nil && refusal.Stricter {
		return
	}
	if len(ours) != len(theirs) {
		t.Fatalf("%q:\n%d requests\nnet/http has %+v", data, len(ours), theirs)
	}
	if refusal == nil || len(ours) > 0 && !ours[len(ours)-1].whole {
		return // net/http says nothing of a body, and perhaps something of a line without end
	}
	if want := refusal.Append(nil, asked, date); !bytes.HasSuffix(withoutDate(c.out.Bytes()), want) {
		t.Fatalf("%q:\nrefused with  %q\nnet/http says %q", data, want, c.out.Bytes())
	}
}

func TestStreamsAgreeWithNetHTTP(t *testing.T) {
	for i, seed := range seeds {
		streamsAgree(t, []byte(seed))
		streamsAgree(t, []byte(seed+seeds[(i*7+3)%len(seeds)]))
	}
	for _, seed := range bodies {
		streamsAgree(t, []byte(chunkedHead+seed+gets+"\r\n"))
	}
	for _, s := range corpora(t) {
		streamsAgree(t, []byte(s.data))
		streamsAgree(t, []byte(strings.Repeat(s.data, 2)))
	}
}
