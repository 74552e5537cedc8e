package buffer

import (
	"bytes"
	"sync"
)

const maxText = 64 << 10 // bytes of the largest Buffer that is kept

var texts = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Get returns an empty Buffer, to be given back with Put.
func Get() *bytes.Buffer { return texts.Get().(*bytes.Buffer) }

// Put takes a Buffer back that nobody uses any more.
func Put(b *bytes.Buffer) {
	if b.Cap() > maxText {
		return
	}
	b.Reset()
	texts.Put(b)
}
