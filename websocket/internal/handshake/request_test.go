package handshake

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// upgrade is the request of RFC 6455 §1.3.
func upgrade() *http.Request {
	r := httptest.NewRequest("GET", "/chat", nil)
	r.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"},
	}
	return r
}

func TestCheckAsksForWhatTheRFCAsks(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(r *http.Request)
		status int // 0: taken
		header string
	}{
		"as in the RFC":       {func(*http.Request) {}, 0, ""},
		"lists and case":      {func(r *http.Request) { r.Header["Connection"] = []string{"keep-alive, uPGRADE"} }, 0, ""},
		"another method":      {func(r *http.Request) { r.Method = "POST" }, 405, "Allow"},
		"HTTP/2":              {func(r *http.Request) { r.ProtoMajor = 2 }, 426, ""},
		"HTTP/1.0":            {func(r *http.Request) { r.ProtoMinor = 0 }, 426, "Upgrade"},
		"no Connection":       {func(r *http.Request) { r.Header.Del("Connection") }, 426, "Upgrade"},
		"another protocol":    {func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, 426, "Upgrade"},
		"another version":     {func(r *http.Request) { r.Header.Set("Sec-Websocket-Version", "8") }, 426, "Sec-WebSocket-Version"},
		"two versions":        {func(r *http.Request) { r.Header["Sec-Websocket-Version"] = []string{"13", "13"} }, 426, "Sec-WebSocket-Version"},
		"no key":              {func(r *http.Request) { r.Header.Del("Sec-Websocket-Key") }, 400, ""},
		"a short key":         {func(r *http.Request) { r.Header.Set("Sec-Websocket-Key", "YQ==") }, 400, ""},
		"two keys":            {func(r *http.Request) { r.Header.Add("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") }, 400, ""},
		"no host":             {func(r *http.Request) { r.Host = "" }, 400, ""},
		"a body":              {func(r *http.Request) { r.ContentLength = 1 }, 400, ""},
		"chunks":              {func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, 400, ""},
		"malformed protocols": {func(r *http.Request) { r.Header.Set("Sec-Websocket-Protocol", "a b") }, 400, ""},
		"65 protocols": {func(r *http.Request) {
			r.Header.Set("Sec-Websocket-Protocol", "p"+strings.Join(make([]string, 65), "x, p"))
		}, 400, ""},
	} {
		r := upgrade()
		tt.change(r)
		_, refused := Check(r)
		switch {
		case tt.status == 0 && refused == nil:
		case refused == nil:
			t.Errorf("%s: taken", name)
		case refused.Status != tt.status, tt.header != "" && refused.Header.Get(tt.header) == "":
			t.Errorf("%s: %+v", name, refused)
		}
	}
}

func TestTheServersOrderDecides(t *testing.T) {
	r := upgrade()
	r.Header["Sec-Websocket-Protocol"] = []string{"c, b", "a"}
	offer, refused := Check(r)
	if refused != nil || !slices.Equal(offer, []string{"c", "b", "a"}) {
		t.Fatal(offer, refused)
	}
	if got := Choose([]string{"a", "b"}, offer); got != "a" {
		t.Errorf("%q", got)
	}
	if got := Choose([]string{"A"}, offer); got != "" {
		t.Errorf("%q, though case counts", got)
	}
}

// The 101 proves to have read the key, and has the headers that were set, except those
// that are its own.
func TestBytesOfTheAnswer(t *testing.T) {
	a := Answer{Key: Key(upgrade()), Protocol: "chat", Extension: "permessage-deflate"}
	b := a.Bytes(http.Header{"Set-Cookie": {"a=b"}, "Upgrade": {"x"}, "Content-Length": {"5"}, "Sec-Websocket-Accept": {"x"}, "Evil": {"a\r\nB: c"}})
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), upgrade())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"Sec-Websocket-Protocol": "chat", "Sec-Websocket-Extensions": "permessage-deflate", "Set-Cookie": "a=b",
		"Content-Length": "", "B": "",
	}
	for name, value := range want {
		if got := strings.Join(res.Header[name], "|"); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if short := (&Answer{Key: a.Key}).Bytes(nil); res.StatusCode != 101 || bytes.Contains(short, []byte("Protocol:")) || !bytes.HasSuffix(short, []byte("\r\n\r\n")) {
		t.Errorf("%d, %q", res.StatusCode, short)
	}
}

func TestAProbeIsNoUpgrade(t *testing.T) {
	r := upgrade()
	r.Header.Set(probeHeader, "1")
	if IsProbe(r) {
		t.Error("an upgrade is taken for a probe")
	}
	r.Header.Del("Upgrade")
	if !IsProbe(r) {
		t.Error("a probe is not known")
	}
	if r.Method = "POST"; IsProbe(r) {
		t.Error("a POST is taken for a probe")
	}
	if h := Taken(1).Header; h.Get("Upgrade") != "websocket" || Taken(2).Header != nil || Taken(1).Status != 426 {
		t.Errorf("%v", h)
	}
}
