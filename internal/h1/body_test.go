package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"testing"
)

// chunkedHead is before the bodies of these tests.
const chunkedHead = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

func newChunked() Body { return (&Head{Length: -1}).Body() }

// read decodes a body that comes in pieces of n bytes.
func read(b *Body, data []byte, size int) (content []byte, n int, err error) {
	for {
		piece := data[n:min(n+size, len(data))]
		got, took, err := b.Next(piece)
		content = append(content, got...)
		n += took
		if err != nil || len(piece) == 0 {
			return content, n, err
		}
	}
}

// bodiesAgree compares what Body makes of data, which follows chunkedHead, with net/http.
func bodiesAgree(t *testing.T, data []byte) {
	t.Helper()
	b := newChunked()
	content, n, err := read(&b, data, len(data)+1)
	if r, ok := err.(*Refusal); ok && r.Stricter {
		return
	}
	in := bytes.NewReader(append([]byte(chunkedHead), data...))
	br := bufio.NewReader(in)
	req, headErr := http.ReadRequest(br)
	if headErr != nil {
		t.Fatal(headErr)
	}
	want, wantErr := io.ReadAll(req.Body)
	rest := in.Len() + br.Buffered()
	switch {
	case (err == io.EOF) != (wantErr == nil):
		t.Errorf("%q: ends with %v, net/http's with %v", data, err, wantErr)
	case err == io.EOF && (string(content) != string(want) || len(data)-n != rest || !reflect.DeepEqual(b.Trailer(), req.Trailer)):
		t.Errorf("%q: %q, %d bytes left, trailer %v; net/http has %q, %d, %v", data, content, len(data)-n, b.Trailer(), want, rest, req.Trailer)
	case !bytes.HasPrefix(want, content) && !bytes.HasPrefix(content, want):
		t.Errorf("%q: %q, net/http has %q", data, content, want)
	}
}

// bodyInParts checks that it does not matter how data is split.
func bodyInParts(t *testing.T, data []byte) {
	t.Helper()
	whole := newChunked()
	want, wantN, wantErr := read(&whole, data, len(data)+1)
	for _, size := range []int{1, 2, 3, 5, 7, 64} {
		b := newChunked()
		content, n, err := read(&b, data, size)
		if string(content) != string(want) || n != wantN || err != wantErr || !reflect.DeepEqual(b.Trailer(), whole.Trailer()) {
			t.Errorf("%q in pieces of %d bytes: %q, %d, %v, %v; else %q, %d, %v, %v",
				data, size, content, n, err, b.Trailer(), want, wantN, wantErr, whole.Trailer())
		}
	}
}

func TestBodyAgreesWithNetHTTP(t *testing.T) {
	for _, seed := range bodies {
		bodiesAgree(t, []byte(seed))
		bodyInParts(t, []byte(seed))
	}
}
