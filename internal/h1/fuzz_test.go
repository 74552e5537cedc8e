package h1

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// meaningful are the bytes and words that parsers of HTTP have been confused with.
var meaningful = []string{
	"\r", "\n", "\r\n", "\r\n\r\n", "\n\n", " ", "\t", "\v", "\f", "\x00", "\x7f", "\x80", "\xa0", "\xff", ":", ",", ";", "=", "\"", "\\",
	"0", "1", "+", "-", "_", "0x", "00000000000000000000", "9223372036854775807", "18446744073709551616", "ffffffffffffffff", "%00", "%2f",
	"/", "//", "?", "#", "*", "@", "[::1]", "http://", "HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "PRI", "CONNECT", "HEAD",
	"chunked", "identity", "gzip, chunked", "Chunked", "close", "keep-alive", "upgrade", "100-continue", "no-cache",
	"\r\nContent-Length: 5", "\r\nContent-Length: 0", "\r\ncontent-length:5 ", "\r\nTransfer-Encoding: chunked", "\r\ntransfer-encoding:chunked",
	"\r\nTransfer-Encoding : chunked", "\r\nTransfer-Encoding:\tchunked", "\r\nTransfer-Encoding\x00: chunked", "\r\nX: y\r\n z", "\nX: y", "\r\nHost: x",
	"\r\nHost:", "\r\nConnection: close", "\r\nConnection: keep-alive", "\r\nUpgrade: h2c", "\r\nExpect: 100-continue", "\r\nExpect: x",
	"\r\nTrailer: A", "\r\nTrailer: Host, Content-Length", "\r\nPragma: no-cache", "\r\nCache-Control: x", "\r\nA B: c", "\r\n: x", "\r\nX",
	"0\r\n\r\n", "0\r\nA: b\r\n\r\n", "5\r\nhello\r\n", "5;a=b\r\nhello\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}

// mutate changes data as ops says, three bytes of it at a time: what, where and with what.
func mutate(data, ops []byte) []byte {
	data = bytes.Clone(data)
	for ; len(ops) >= 3 && len(data) < 8<<10; ops = ops[3:] {
		at := boundary(data, int(ops[1]), ops[0]&0x80 != 0)
		word := []byte(meaningful[int(ops[2])%len(meaningful)])
		switch end := min(at+int(ops[2]%16), len(data)); ops[0] % 5 {
		case 0:
			data = slices.Insert(data, at, word...)
		case 1: // in the place of what was there
			data = slices.Replace(data, at, min(at+len(word), len(data)), word...)
		case 2:
			data = slices.Delete(data, at, end)
		case 3: // once more
			data = slices.Insert(data, at, bytes.Clone(data[at:end])...)
		case 4: // before the boundary instead of behind it
			data = slices.Concat(data[:at/2], data[at:end], data[at/2:at], data[end:])
		}
	}
	return data
}

// boundary returns the place in data that n means: that of a line or of a byte.
func boundary(data []byte, n int, ofLine bool) int {
	if !ofLine {
		return n * len(data) / 256
	}
	at := 0
	for range n % 32 {
		i := bytes.Index(data[at:], []byte("\r\n"))
		if i < 0 {
			break
		}
		at += i + 2
	}
	if n >= 128 && at >= 2 {
		at -= 2
	}
	return at
}

func FuzzHead(f *testing.F) {
	for i, seed := range seeds {
		f.Add([]byte(seed), []byte{})
		f.Add([]byte(seed), []byte{byte(i), byte(3 * i), byte(i)})
	}
	for _, s := range corpora(f) {
		f.Add([]byte(s.data), []byte{})
	}
	for _, v := range vectors {
		f.Add([]byte(v.head), []byte{})
	}
	f.Add([]byte(gets+"x-long: "+strings.Repeat("a", maxShared)+"\r\ncookie: b\r\nX-Y: c\r\nx-y: d\r\n\r\n"), []byte{})
	f.Fuzz(func(t *testing.T, data, ops []byte) {
		data = mutate(data, ops)
		agree(t, data)
		sameInParts(t, data)
	})
}

func FuzzBody(f *testing.F) {
	for i, seed := range bodies {
		f.Add([]byte(seed), []byte{})
		f.Add([]byte(seed), []byte{byte(i), byte(3 * i), byte(i)})
	}
	for _, v := range bodyVectors {
		f.Add([]byte(v.body), []byte{})
	}
	f.Fuzz(func(t *testing.T, data, ops []byte) {
		data = mutate(data, ops)
		bodiesAgree(t, data)
		bodyInParts(t, data)
	})
}

func FuzzAnswer(f *testing.F) {
	for i, header := range headers {
		text := ""
		for name, values := range header {
			for _, v := range values {
				text += name + "=" + v + "\x00"
			}
		}
		f.Add(uint16(i*257), uint16(200), uint16(i*100), text)
	}
	f.Fuzz(func(t *testing.T, kind, status, size uint16, text string) {
		pick := func(from ...string) string {
			v := from[int(kind)%len(from)]
			kind /= uint16(len(from))
			return v
		}
		s := &script{
			method:     pick("GET", "HEAD", "POST"),
			proto:      pick("HTTP/1.0", "HTTP/1.1", "HTTP/1.2"),
			connection: pick("", "keep-alive", "close", "keep-alive, close", "x close", "x,Keep-Alive"),
			flush:      pick("", "flush") != "",
			status:     200 + int(status)%800,
			size:       int(size) % 5000,
			header:     headerOf(text),
		}
		if status%9 == 0 {
			s.status = 101
		}
		if pick("", "late") != "" {
			s.late = http.Header{"A": {"late"}, "B-C": {"x", "y"}, "Content-Length": {"9"}, "Trailer:B": {"late\r\n"}}
		}
		answersAgree(t, theJudge(), s, noChange)
	})
}

// headerOf returns the header that text says.
func headerOf(text string) http.Header {
	header := http.Header{}
	for field := range strings.SplitSeq(text, "\x00") {
		name, value, ok := strings.Cut(field, "=")
		if ok {
			header[name] = append(header[name], value)
		} else if name != "" {
			header[name] = nil
		}
	}
	return header
}

func FuzzStream(f *testing.F) {
	for i, seed := range seeds {
		next := seeds[(i*5+1)%len(seeds)]
		f.Add([]byte(seed+next), []byte{})
		f.Add([]byte(seed+chunkedHead+bodies[i%len(bodies)]+next), []byte{byte(i), byte(3 * i), byte(i)})
	}
	f.Fuzz(func(t *testing.T, data, ops []byte) { streamsAgree(t, mutate(data, ops)) })
}
