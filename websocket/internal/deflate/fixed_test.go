package deflate

import (
	"bytes"
	"testing"
)

func TestFixedCodeIsReadByTheStandardLibrary(t *testing.T) {
	for name, m := range map[string][]byte{
		"chat":   chat(1, fixedSize),
		"zeros":  make([]byte, fixedSize),
		"noise":  noise(fixedSize),
		"period": bytes.Repeat([]byte("0123456789abcdef!"), 100),
	} {
		for n := range fixedSize + 1 {
			out, err := stdDecompress(compressFixed(nil, m[:n]), nil, fixedSize)
			if err != nil || !bytes.Equal(out, m[:n]) {
				t.Fatalf("%s, %d bytes: %d, %v", name, n, len(out), err)
			}
		}
	}
}

func TestWhatDoesNotCompressIsStored(t *testing.T) {
	m := noise(fixedSize)
	if n := len(Compress(nil, m, 1, 15)); n > len(m)+10 {
		t.Errorf("%d bytes for %d", n, len(m))
	}
}

func TestFixedCodeMakesChatSmaller(t *testing.T) {
	m := chat(1, 512)
	if n := len(compressFixed(nil, m)); n > len(m)*2/3 {
		t.Errorf("%d bytes for %d", n, len(m))
	}
}
