// Package buffer lends byte slices of any size.
package buffer

import "sync"

const maxKept = 2 << 20 // bytes of the largest that is kept

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Borrow returns a slice with any contents, to be appended to from its start. It is
// to be given back with Release.
func Borrow() *[]byte { return buffers.Get().(*[]byte) }

// Release takes a slice back that nobody uses any more.
func Release(b *[]byte) {
	if cap(*b) > maxKept {
		*b = nil
	}
	buffers.Put(b)
}
