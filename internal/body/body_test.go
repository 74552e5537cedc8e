package body

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nextrush/nextrush/internal/query"
)

func post(text, contentType string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(text))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestABodyIsReadOnce(t *testing.T) {
	r := post("text", "text/plain")
	b := Body{Max: -1}
	for range 2 {
		if got, err := b.Bytes(r); string(got) != "text" || err != nil || !b.WasRead() {
			t.Errorf("%q, %v", got, err)
		}
	}
	broken := errors.New("it broke")
	r, b = post("", ""), Body{Max: -1}
	r.Body, r.ContentLength = io.NopCloser(iotest.ErrReader(broken)), -1
	for range 2 {
		if _, err := b.Bytes(r); !errors.Is(err, broken) {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader("more"))
	}
}

// The limit counts whether the size is announced or not, and for what middleware decodes.
func TestABodyOverItsLimitIsNotRead(t *testing.T) {
	for size := range 700 {
		text := strings.Repeat("x", size)
		for _, announced := range []bool{true, false} {
			r := post(text, "")
			r.Body = io.NopCloser(r.Body) // as a decoder is
			if !announced {
				r.ContentLength = -1
			}
			b := Body{Max: 600}
			got, err := b.Bytes(r)
			if over := size > 600; over && err != tooLarge || !over && (err != nil || string(got) != text) {
				t.Fatalf("%d bytes: %d, %v", size, len(got), err)
			}
		}
	}
}

func TestAnotherLimitTakesThePlaceOfTheLast(t *testing.T) {
	for _, limits := range [][]int64{{2, 4}, {4, 2}} {
		r, w := post("abc", ""), httptest.NewRecorder()
		var b Body
		for _, limit := range limits {
			b.Limit(w, r, limit)
		}
		got, err := io.ReadAll(r.Body)
		var large *http.MaxBytesError
		if fits := limits[1] == 4; fits != (string(got) == "abc") || fits == errors.As(err, &large) {
			t.Errorf("%v: %q, %v", limits, got, err)
		}
	}
}

func TestADecoderKeepsTheLimitOfWhatComesIn(t *testing.T) {
	r, w := post("abc", ""), httptest.NewRecorder()
	var b Body
	b.Limit(w, r, 2)
	r.Body = io.NopCloser(r.Body)
	b.Limit(w, r, 100)
	var large *http.MaxBytesError
	if _, err := b.Bytes(r); err != tooLarge && !errors.As(err, &large) {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	b := Body{Max: -1}
	values, err := b.Values(post("a=1&a=2", ""))
	if err != nil || strings.Join(values["a"], ",") != "1,2" {
		t.Error(values, err)
	}
	b = Body{Max: -1}
	if _, err := b.Values(post(strings.Repeat("a&", query.MaxPairs), "")); !errors.Is(err, query.ErrTooMany) {
		t.Error(err)
	}
}

// upload is a form with a file that is too large for the memory.
func upload(header string) *http.Request {
	var text strings.Builder
	w := multipart.NewWriter(&text)
	w.WriteField("name", "value")
	part, _ := w.CreateFormFile("file", header)
	io.WriteString(part, strings.Repeat("x", memory+10<<20+1))
	w.Close()
	return post(text.String(), w.FormDataContentType())
}

func TestAFormMayBeReadAfterItsBytes(t *testing.T) {
	ownTempDir(t)
	r := upload("a.txt")
	b := Body{Max: -1}
	b.Bytes(r)
	form, err := b.Form(r)
	if err != nil || form.Value["name"][0] != "value" || len(form.File["file"]) != 1 {
		t.Fatal(form, err)
	}
	RemoveFiles(r)
}

func TestNamesOfPartsAreBounded(t *testing.T) {
	ownTempDir(t)
	r := upload(strings.Repeat("n", maxPartHeader))
	var b Body
	if _, err := b.Form(r); !errors.Is(err, multipart.ErrMessageTooLarge) || r.MultipartForm != nil {
		t.Error(err)
	}
	wantFiles(t, 0)
}

// The files go with the last one who knows them.
func TestFilesAreRemovedOnce(t *testing.T) {
	ownTempDir(t)
	var outer Body
	if _, err := outer.Form(upload("a.txt")); err != nil {
		t.Fatal(err)
	}
	inner := outer
	inner.RemoveFiles(&outer)
	wantFiles(t, 1)
	if _, err := inner.Form(upload("b.txt")); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, 2)
	outer.Adopt(&inner)
	wantFiles(t, 1)
	outer.RemoveFiles(nil)
	wantFiles(t, 0)
}

func ownTempDir(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP"} { // of Unix, of Windows
		t.Setenv(name, dir)
	}
}

func wantFiles(t *testing.T, n int) {
	t.Helper()
	if files, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(files) != n {
		t.Errorf("%d files, want %d", len(files), n)
	}
}

// Errors have the status of what is wrong, and keep the reason.
func TestErrorsSayWhatIsWrong(t *testing.T) {
	broken := errors.New("it broke")
	failing := post("", "")
	failing.Body, failing.ContentLength = io.NopCloser(iotest.ErrReader(broken)), -1
	for name, tt := range map[string]struct {
		read   func(b *Body) error
		status int
		cause  error
	}{
		"a read that fails": {func(b *Body) error { _, err := b.Values(failing); return err }, 400, broken},
		"too large":         {func(b *Body) error { _, err := b.Bytes(post("1234567", "")); return err }, 413, nil},
		"too many fields": {func(b *Body) error {
			b.Max = -1
			_, err := b.Values(post(strings.Repeat("a&", query.MaxPairs), ""))
			return err
		}, 413, query.ErrTooMany},
		"not a form": {func(b *Body) error { _, err := b.Form(post("x", "multipart/form-data; boundary=b")); return err }, 400, io.EOF},
	} {
		e, ok := tt.read(&Body{Max: 6}).(*Error)
		if !ok || e.Status != tt.status || e.Message == "" || !errors.Is(e.Cause, tt.cause) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
