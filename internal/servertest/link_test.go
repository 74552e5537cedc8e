package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// link is the client's side of a connection.
type link struct {
	net.Conn
	name  string
	got   []byte // all that the server has sent
	taken int    // of it, by the steps answer and until
	end   string // how the server has closed it, if it has
}

// more waits for bytes; it returns false if there will be none.
func (l *link) more(t testing.TB) bool {
	t.Helper()
	if l.end != "" {
		return false
	}
	buf := make([]byte, 64<<10)
	n, err := l.Read(buf)
	l.got = append(l.got, buf[:n]...)
	switch {
	case n > 0:
	case err == io.EOF:
		l.end = "closed"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		l.end = "reset"
	default:
		t.Fatalf("%v: waiting for more than %q", err, l.got)
	}
	return n > 0
}

// untaken are the bytes that no step has taken.
func (l *link) untaken() []byte { return l.got[l.taken:] }

// until takes the bytes up to the end of text.
func (l *link) until(t testing.TB, text string) {
	t.Helper()
	for {
		if i := bytes.Index(l.untaken(), []byte(text)); i >= 0 {
			l.taken += i + len(text)
			return
		}
		if !l.more(t) {
			t.Fatalf("%s before %q, after %q", l.end, text, l.got)
		}
	}
}

// answer takes one answer and those of 1xx before it.
func (l *link) answer(t testing.TB, head bool) {
	t.Helper()
	for {
		from := l.taken
		l.until(t, "\r\n\r\n")
		top := string(l.got[from:l.taken])
		code := top[len("HTTP/1.1 "):][:3]
		switch {
		case code[0] == '1' && code != "101":
		case head || code == "101" || code == "204" || code == "304":
			return
		default:
			l.body(t, top)
			return
		}
	}
}

var (
	hasLength  = regexp.MustCompile(`(?i)\r\nContent-Length: (\d+)\r\n`)
	hasChunked = regexp.MustCompile(`(?i)\r\nTransfer-Encoding: chunked\r\n`)
)

func (l *link) body(t testing.TB, head string) {
	t.Helper()
	length := hasLength.FindStringSubmatch(head)
	switch {
	case hasChunked.MatchString(head):
		l.chunks(t)
	case length != nil:
		n, _ := strconv.Atoi(length[1])
		for len(l.untaken()) < n && l.more(t) {
		}
		l.taken += min(n, len(l.untaken()))
	default:
		for l.more(t) {
		}
		l.taken = len(l.got)
	}
}

// chunks takes a chunked body with its trailer, or what there is of it.
func (l *link) chunks(t testing.TB) {
	t.Helper()
	for {
		line, ok := l.line(t)
		if !ok {
			return
		}
		size, err := strconv.ParseInt(line, 16, 32)
		if err != nil {
			t.Fatalf("chunk size %q", line)
		}
		if size == 0 {
			break
		}
		for len(l.untaken()) < int(size)+2 {
			if !l.more(t) {
				return
			}
		}
		l.taken += int(size) + 2
	}
	for {
		if line, ok := l.line(t); line == "" || !ok {
			return
		}
	}
}

func (l *link) line(t testing.TB) (string, bool) {
	t.Helper()
	for {
		if line, _, ok := bytes.Cut(l.untaken(), []byte("\r\n")); ok {
			l.taken += len(line) + 2
			return string(line), true
		}
		if !l.more(t) {
			return "", false
		}
	}
}

var (
	date       = regexp.MustCompile(`\r\nDate: (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n`)
	sentineled = regexp.MustCompile(`HTTP/1\.1 204 No Content\r\nDate: now\r\n(?:Connection: close\r\n)?\r\n`)
	dechunked  = regexp.MustCompile(`(?is)^HTTP/1\.1 [^\n]*\n(?:[^\n]+\n)*?Transfer-Encoding: chunked\r\n(?:[^\n]+\n)*?\r\n`)
)

// What is sent most often has a short form in transcripts.
const (
	answered     = "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nok"
	refusedBytes = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
)

// longest is how many bytes of a line the transcript shows.
const longest = 160

// render writes the bytes, a line for each line that ends with CRLF. A backslash is at the
// end of one that does not, and quotes are around what is not plain text. The answer to
// the sentinel is "(kept)", and those below are short too.
func (l *link) render(b *strings.Builder, dechunk bool) {
	if l.name != "" {
		fmt.Fprintf(b, "connection %s\n", l.name)
	}
	got := date.ReplaceAll(l.got, []byte("\r\nDate: now\r\n"))
	if dechunk {
		got = joinChunks(got)
	}
	got = bytes.ReplaceAll(got, []byte(answered), []byte("\x00(200 ok)\r\n"))
	got = bytes.ReplaceAll(got, []byte(refusedBytes), []byte("\x00(400)\r\n"))
	got = sentineled.ReplaceAll(got, []byte("\x00(kept)\r\n"))
	got = bytes.ReplaceAll(got, []byte("HTTP/1.1 "), []byte("\x00HTTP/1.1 "))
	for piece := range bytes.SplitAfterSeq(got, []byte("\r\n")) {
		for part := range bytes.SplitSeq(piece, []byte{0}) {
			if len(part) > 0 {
				b.WriteString("< " + renderLine(string(part)) + "\n")
			}
		}
	}
	if l.end != "" {
		b.WriteString("closed\n")
	}
}

func renderLine(line string) string {
	text, whole := strings.CutSuffix(line, "\r\n")
	more := ""
	if len(text) > longest {
		more = fmt.Sprintf("… %d bytes, CRC %08x", len(text), crc32.ChecksumIEEE([]byte(text)))
		text = text[:longest/4]
	}
	if !whole {
		more += `\`
	}
	if quoted := strconv.QuoteToASCII(text); quoted != `"`+text+`"` {
		text = quoted
	}
	return text + more
}

// joinChunks removes the framing of a body that is the last one.
func joinChunks(got []byte) []byte {
	head := dechunked.Find(got)
	if head == nil {
		return got
	}
	l := &link{got: got, taken: len(head), end: "closed"}
	out := bytes.Clone(head)
	for {
		size, ok := l.cutLine()
		n, err := strconv.ParseInt(size, 16, 32)
		if !ok || err != nil || n == 0 || len(l.untaken()) < int(n)+2 {
			return append(append(out, size+"\r\n"...), l.untaken()...)
		}
		out = append(out, l.untaken()[:n]...)
		l.taken += int(n) + 2
	}
}

func (l *link) cutLine() (string, bool) {
	line, _, ok := bytes.Cut(l.untaken(), []byte("\r\n"))
	if ok {
		l.taken += len(line) + 2
	}
	return string(line), ok
}
