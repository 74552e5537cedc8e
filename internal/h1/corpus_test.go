package h1

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// outcome says what becomes of the first request in data: taken, the status with which it
// is refused, elsewhere, unfinished, or broken for a body that is refused.
func outcome(data []byte) string {
	var h Head
	n, whole, err := h.Parse(data, 0, maxHeaderBytes)
	if err == ErrElsewhere {
		return "elsewhere"
	}
	if r, ok := err.(*Refusal); ok {
		return strconv.Itoa(r.Status)
	}
	if !whole {
		return "unfinished"
	}
	body := h.Body()
	switch _, _, err = read(&body, data[n:], len(data)); err {
	case io.EOF:
		return "taken"
	case nil:
		return "unfinished"
	}
	return "broken"
}

// A sample is a request of somebody else's tests.
type sample struct{ outcome, name, data string }

func corpora(t testing.TB) (samples []sample) {
	files, err := filepath.Glob("testdata/corpora/*.txt")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			data, err := strconv.Unquote(columns[len(columns)-1])
			if err != nil || len(columns) != 3 {
				t.Fatalf("%s: %s: %v", file, line, err)
			}
			samples = append(samples, sample{columns[0], filepath.Base(file) + ": " + columns[1], data})
		}
	}
	return samples
}

func TestCorpora(t *testing.T) {
	for _, s := range corpora(t) {
		t.Run(s.name, func(t *testing.T) {
			if got := outcome([]byte(s.data)); got != s.outcome {
				t.Errorf("%s: %q", got, s.data)
			}
			agree(t, []byte(s.data))
			sameInParts(t, []byte(s.data))
			if _, body, ok := strings.Cut(s.data, "\r\n\r\n"); ok {
				bodiesAgree(t, []byte(body))
				bodyInParts(t, []byte(body))
			}
		})
	}
}

// The ways to hide a Transfer-Encoding from one of two readers are those of defparam's
// smuggler. There is always a Content-Length, which frames the request for a reader that
// overlooks the other; so it may be taken only if nobody could see the other.
func TestHiddenTransferEncodings(t *testing.T) {
	for _, field := range hidden() {
		request := "POST / HTTP/1.1\r\n" + field + "\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
		taken := field == "Transfer_Encoding: chunked" || field == "Content-Encoding: chunked"
		if got := outcome([]byte(request)); (got == "taken") != taken {
			t.Errorf("%q: %s", field, got)
		}
		agree(t, []byte(request))
	}
}

func hidden() []string {
	fields := []string{
		" Transfer-Encoding: chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding\t:\tchunked", "Transfer Encoding: chunked",
		"Transfer_Encoding: chunked", "Transfer Encoding:chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:  chunked",
		"Transfer-Encoding:\vchunked", "Transfer-Encoding: chunked, cow", "Transfer-Encoding: cow, chunked", "Content-Encoding: chunked",
		"Transfer-Encoding:\n chunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: 'chunked'", "Transfer-Encoding: chunk",
		"TrAnSFer-EnCODinG: cHuNkeD", "TRANSFER-ENCODING: CHUNKED", "Transfer-Encoding: chunked\r", "Transfer-Encoding: chunked\t",
		"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", "Transfer\r-Encoding: chunked", "Transfer-Encoding: cow chunked bar",
		"Transfer-Encoding:\xffchunked", "Transfer-Encoding: ch\x96nked", "Transf\x82r-Encoding: chunked",
		"X:X\rTransfer-Encoding: chunked", "X:X\nTransfer-Encoding: chunked",
	}
	for c := range 256 {
		if c == 0 || c >= 0x20 && c < 0x7f {
			continue
		}
		for _, form := range []string{
			"Transfer-Encoding:%schunked", "Transfer-Encoding%s: chunked", "%sTransfer-Encoding: chunked", "Transfer-Encoding: chunked%s",
		} {
			fields = append(fields, fmt.Sprintf(form, string([]byte{byte(c)})))
		}
	}
	return fields
}
