package middleware_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func encode(t testing.TB, encoding string, body io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if encoding == "zstd" {
		var err error
		if w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload gives a body to an App that takes 16 bytes, and answers with it.
func upload(encoding string, body []byte) *httptest.ResponseRecorder {
	app := nextrush.New()
	app.Post("/", middleware.Decompress(middleware.DecompressOptions{Limit: 16}), func(c *nextrush.Context) error {
		b, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(string(b) + c.Header("Content-Encoding"))
	})
	r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
	r.Header.Set("Content-Encoding", encoding)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestDecompressCountsDecodedBytes(t *testing.T) {
	for _, encoding := range []string{"gzip", "zstd"} {
		for size, want := range map[int]int{0: 200, 16: 200, 17: 413, 18: 413, 1 << 20: 413} {
			body := strings.Repeat("a", size)
			w := upload(encoding, encode(t, encoding, strings.NewReader(body)))
			if w.Code != want || w.Code == 200 && w.Body.String() != body {
				t.Errorf("%s of %d: %d %q", encoding, size, w.Code, w.Body)
			}
		}
	}
}

func TestDecompressRefuses(t *testing.T) {
	whole := encode(t, "gzip", strings.NewReader("hello"))
	for name, test := range map[string]struct {
		encoding string
		body     []byte
		want     int
	}{
		"nothing to do": {"", []byte("hello"), 200},
		"identity":      {"identity", []byte("hello"), 200},
		"upper case":    {"GZIP", whole, 200},
		"x-gzip":        {"x-gzip", whole, 200},
		"unknown":       {"br", whole, 415},
		"twice":         {"gzip, gzip", encode(t, "gzip", bytes.NewReader(whole)), 415},
		"no gzip":       {"gzip", []byte("hello"), 400},
		"no zstd":       {"zstd", []byte("hello"), 400},
		"cut":           {"gzip", whole[:len(whole)-1], 400},
		"a window of 64 MiB": {"zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, // the magic number
			0x00, 16 << 3, // RFC 8878 §3.1.1.1.2: 2^(10+16) bytes
			0x01, 0x00, 0x00}, 400},
	} {
		w := upload(test.encoding, test.body)
		if w.Code != test.want || w.Code == 200 && strings.TrimSuffix(w.Body.String(), "identity") != "hello" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Code == 415 && w.Header().Get("Accept-Encoding") != "gzip, zstd" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	wantPanic(t, "negative", func() { middleware.Decompress(middleware.DecompressOptions{Limit: -1}) })
}

// bombs are 64 MiB of zeros, or nearly: 64 members of gzip, and blocks of 128 KiB that
// repeat a byte in a zstd frame with a window of 8 MiB (RFC 8878 §3.1.1).
func bombs(t *testing.T) map[string][]byte {
	member := encode(t, "gzip", io.LimitReader(zeros{}, 1<<20))
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3}
	return map[string][]byte{
		"gzip": bytes.Repeat(member, 64),
		"zstd": append(append(frame, bytes.Repeat([]byte{0x02, 0x00, 0x10, 0}, 511)...), 0x03, 0x00, 0x10, 0),
	}
}

func TestDecompressAllocatesLittleForBombs(t *testing.T) {
	for encoding, bomb := range bombs(t) {
		if n, err := io.CopyN(io.Discard, decoder(t, encoding, bytes.NewReader(bomb)), 2<<20); err != nil {
			t.Fatalf("%s: %v after %d bytes", encoding, err, n) // a decoder goes on from part to part
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := upload(encoding, bomb)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; w.Code != 413 || grown > 24<<20 {
			t.Errorf("%s: %d after %d bytes", encoding, w.Code, grown)
		}
	}
}

// stalling is a body that begins and does not go on; wait is closed when somebody does.
type stalling struct {
	start io.Reader
	wait  chan struct{}
	end   <-chan struct{}
	once  sync.Once
}

func (s *stalling) Read(p []byte) (int, error) {
	if n, err := s.start.Read(p); err == nil {
		return n, nil
	}
	s.once.Do(func() { close(s.wait) })
	<-s.end
	return 0, io.ErrUnexpectedEOF
}

// 2^(10+13) bytes are a window of 8 MiB (RFC 8878 §3.1.1.1.2), the block is one byte
// repeated, and not the last.
func TestDecompressAllocatesLittleForABodyThatStalls(t *testing.T) {
	const clients = 10
	for name, start := range map[string][]byte{
		"a window":         {0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3, 0x0a, 0x00, 0x00, 'a'},
		"a single segment": {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0x80, 0, 0x0a, 0x00, 0x00, 'a'},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range clients {
			app := nextrush.New()
			app.Post("/", middleware.Decompress(), func(c *nextrush.Context) error {
				_, err := io.ReadAll(c.Request().Body)
				return err
			})
			body := &stalling{start: bytes.NewReader(append(start, make([]byte, 20)...)), wait: make(chan struct{}), end: t.Context().Done()}
			r := httptest.NewRequest("POST", "/", body)
			r.Header.Set("Content-Encoding", "zstd")
			go app.ServeHTTP(httptest.NewRecorder(), r)
			<-body.wait
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / clients; each > 1<<20 {
			t.Errorf("%s: %d KiB for each", name, each>>10)
		}
	}
}

// The encoder's window is 8 MiB where it does not know how much comes.
func TestDecompressTakesLargeWindows(t *testing.T) {
	body := make([]byte, 3<<20)
	for i := range body {
		body[i] = byte(i * i >> 7)
	}
	rand.Read(body[1<<20 : 2<<20])
	for _, random := range []bool{false, true} {
		if random {
			rand.Read(body)
		}
		app := nextrush.New()
		app.Post("/", middleware.Decompress(), func(c *nextrush.Context) error {
			got, err := c.Body()
			if err == nil && !bytes.Equal(got, body) {
				t.Error("another body")
			}
			return err
		})
		encoded := encode(t, "zstd", io.MultiReader(bytes.NewReader(body[:2<<20]), bytes.NewReader(body[2<<20:])))
		r := httptest.NewRequest("POST", "/", bytes.NewReader(encoded))
		r.Header.Set("Content-Encoding", "zstd")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func ExampleDecompress() {
	app := nextrush.New()
	app.Use(middleware.Decompress(middleware.DecompressOptions{Limit: 1 << 20}))
	app.Post("/", func(c *nextrush.Context) error {
		b, err := c.Body()
		if err != nil {
			return err
		}
		return c.Blob("text/plain", b)
	})
	var body bytes.Buffer
	zw := gzip.NewWriter(&body)
	zw.Write([]byte("hello"))
	zw.Close()
	r := httptest.NewRequest("POST", "/", &body)
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: hello
}
