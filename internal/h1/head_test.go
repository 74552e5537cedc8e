package h1

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"unsafe"
)

func TestHeadAgreesWithNetHTTP(t *testing.T) {
	for _, seed := range seeds {
		agree(t, []byte(seed))
		sameInParts(t, []byte(seed))
	}
}

// net/http closes half a second after it has refused a head as too large.
func TestHeadLimitIsThatOfNetHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJudge()
		defer j.end()
		for _, over := range []int{-1, 0, 1, 4096} {
			start, end := gets+"A: ", "\r\n\r\n"
			head := []byte(start + strings.Repeat("a", maxHeaderBytes+Slop+over-len(start)-len(end)) + end)
			c := j.serve(head, last)
			var h Head
			_, whole, err := h.Parse(head, 0, maxHeaderBytes)
			if taken := len(c.requests) == 1; taken != (over <= 0) || whole != taken || (err == nil) != taken {
				t.Errorf("%d bytes: %v, %v; taken by net/http: %v", len(head), whole, err, taken)
			}
			if r, ok := err.(*Refusal); ok && string(r.Append(nil, h.Asked(), date)) != c.out.String() {
				t.Errorf("%d bytes: %q, net/http says %q", len(head), r.Append(nil, h.Asked(), date), c.out.Bytes())
			}
		}
	})
}

func TestHeadIsRefusedAsSoonAsItIsTooLarge(t *testing.T) {
	var h Head
	if _, _, err := h.Parse(make([]byte, Slop+9), 0, 10); err != nil {
		t.Error(err)
	}
	if _, _, err := h.Parse(make([]byte, Slop+10), 0, 10); err != errTooLarge {
		t.Error(err)
	}
}

// A line is refused when it is whole, as net/http does, and the next are not waited for.
func TestLineIsRefusedBeforeTheNext(t *testing.T) {
	for _, start := range []string{
		"GET / HTTP/9\r\n", "GET /\r\n", "\r\n", gets + "A\r\n", gets + " A: b\r\n", gets + "A: \x00\r\n", "GET / HTTP/1.1\n",
	} {
		var h Head
		if _, _, err := h.Parse([]byte(start), 0, maxHeaderBytes); err == nil {
			t.Errorf("%q: waits for more", start)
		}
		if n, whole, err := h.Parse([]byte(start[:len(start)-1]), 0, maxHeaderBytes); whole || err != nil || n > len(start) {
			t.Errorf("%q: %d, %v, %v", start[:len(start)-1], n, whole, err)
		}
	}
}

// The positions that Parse asks for again are those of lines.
func TestParseGoesOnWhereItWas(t *testing.T) {
	text := gets + "A: b\r\nC: d\r\n\r\nrest"
	var h Head
	from := 0
	for end := range len(text) - len("rest") {
		n, whole, err := h.Parse([]byte(text[:end]), from, maxHeaderBytes)
		if want := strings.LastIndex(text[:end], "\n") + 1; n != want || whole || err != nil {
			t.Fatalf("%q from %d: %d, %v, %v", text[:end], from, n, whole, err)
		}
		from = n
	}
	n, whole, err := h.Parse([]byte(text), from, maxHeaderBytes)
	if n != len(text)-len("rest") || !whole || err != nil || h.get("C") != "d" {
		t.Errorf("%d, %v, %v, %q", n, whole, err, h.get("C"))
	}
}

// Values of a short head share its string; of a long one, or for an upgrade, who keeps a
// value keeps no more.
func TestValuesOfLongHeadsAreTheirOwn(t *testing.T) {
	for field, shares := range map[string]bool{
		"Padding: aaaa": true, "Padding: " + strings.Repeat("a", maxShared): false, "Upgrade: websocket": false,
	} {
		var h Head
		head := "GET /path HTTP/1.1\r\nHost: host\r\nX-Name: value\r\n" + field + "\r\n\r\n"
		if _, whole, err := h.Parse([]byte(head), 0, maxHeaderBytes); !whole {
			t.Fatal(err)
		}
		r := new(http.Request)
		h.fill(r, new(url.URL))
		for name := range r.Header {
			for _, s := range []string{r.Method, r.RequestURI, r.Host, r.URL.Path, name, r.Header[name][0]} {
				if within(s, h.fields.text) != shares && s != "Padding" && s != "Upgrade" { // of which the names are ours
					t.Errorf("head of %d bytes: %.20q is a part of it: %v", len(head), s, within(s, h.fields.text))
				}
			}
		}
	}
}

// within reports whether s is a part of whole in memory.
func within(s, whole string) bool {
	at, from := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	return at >= from && at < from+uintptr(len(whole))
}

func TestHeadDoesNotKeepTheBuffer(t *testing.T) {
	buf := []byte(gets + "X-a: b\r\nCookie: c\r\nUser-Agent: d\r\n\r\n")
	var h Head
	h.Parse(buf, 0, maxHeaderBytes)
	for i := range buf {
		buf[i] = '!'
	}
	want := http.Header{"X-A": {"b"}, "Cookie": {"c"}, "User-Agent": {"d"}}
	f := h.Fields()
	if got := f.Header(); !reflect.DeepEqual(got, want) || h.Host != "x" || h.Target != "/" {
		t.Errorf("%v, %q, %q", got, h.Host, h.Target)
	}
}

// A Head that is used again knows nothing of the request before.
func TestHeadIsUsedAgain(t *testing.T) {
	var h, fresh Head
	for _, seed := range seeds {
		h.Parse([]byte(seed), 0, maxHeaderBytes)
		for _, next := range []string{gets + "\r\n", "GET", "GET / HTTP/1.1\r\n\r\n"} {
			fresh = Head{}
			n, whole, err := fresh.Parse([]byte(next), 0, maxHeaderBytes)
			again, wholeAgain, errAgain := h.Parse([]byte(next), 0, maxHeaderBytes)
			h.fields.more, fresh.fields.more = nil, nil
			if n != again || whole != wholeAgain || err != errAgain || !reflect.DeepEqual(h, fresh) {
				t.Errorf("%q after %q: %+v, not %+v", next, seed, h, fresh)
			}
		}
	}
}

// A value that a handler appends to a field must not end up in another.
func TestHeaderIsTheHandlersOwn(t *testing.T) {
	var h Head
	h.Parse([]byte(gets+"A: 1\r\nB: 2\r\nCookie: 3\r\nDnt: 4\r\n\r\n"), 0, maxHeaderBytes)
	f := h.Fields()
	header := f.Header()
	for name := range header {
		header.Add(name, "more")
	}
	for name, v := range header {
		if len(v) != 2 || v[1] != "more" {
			t.Errorf("%s: %q", name, v)
		}
	}
	if again := f.Header(); len(again["A"]) != 1 {
		t.Errorf("%v", again)
	}
}

func TestManyFields(t *testing.T) {
	var b strings.Builder
	b.WriteString(gets)
	for i := range 1000 {
		fmt.Fprintf(&b, "x-%d: %d\r\nCookie: %d\r\n", i%300, i, i)
	}
	b.WriteString("\r\n")
	agree(t, []byte(b.String()))
}

func TestSkipLines(t *testing.T) {
	for _, c := range []struct {
		buf string
		n   int
		ok  bool
	}{
		{"", 0, false}, {"\r", 1, false}, {"GET", 0, false}, {"GET ", 0, true}, {"\r\nGE", 2, true}, {"\r\nG", 2, false},
		{"\n\n\n\n\n", 4, true}, {"\r\n\r\nGET ", 4, true}, {"G\r\n\r\n", 0, true},
	} {
		if n, ok := SkipLines([]byte(c.buf)); n != c.n || ok != c.ok {
			t.Errorf("%q: %d, %v", c.buf, n, ok)
		}
	}
}

// The lines that net/http skips behind a POST are skipped by SkipLines.
func TestLinesBehindPost(t *testing.T) {
	for _, lines := range []string{"\r\n", "\n", "\r\n\r\n", "\r\n\r\n\n"} {
		next := lines + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		c := theJudge().serve([]byte(post+"Content-Length: 1\r\n\r\na"+next), func(http.ResponseWriter, *http.Request) {})
		n, _ := SkipLines([]byte(next))
		var h Head
		_, whole, _ := h.Parse([]byte(next[n:]), 0, maxHeaderBytes)
		if taken := len(c.requests) == 2; taken != whole {
			t.Errorf("%q: %v, net/http %v", lines, whole, taken)
		}
	}
}

func TestNames(t *testing.T) {
	for id, name := range names {
		if name != http.CanonicalHeaderKey(name) {
			t.Errorf("%s is not canonical", name)
		}
		if id != unknown && (known(name) != uint8(id) || known([]byte(strings.ToUpper(name))) != uint8(id)) {
			t.Errorf("%s is not known as such", name)
		}
		if known(name+"x") != unknown || known(" "+name) != unknown {
			t.Errorf("what is not %s is known", name)
		}
	}
	if len(names) > repeated {
		t.Errorf("%d names", len(names))
	}
}
