package content

import (
	"context"
	"io"
	"os"
	"time"
)

// Stream copies r to w until its end. The end of ctx, which is an error, and that of
// closing, which is none, end a read that waits, if r is one of the readers that another
// goroutine may interrupt.
func Stream(ctx, closing context.Context, w io.Writer, r io.Reader) error {
	defer context.AfterFunc(ctx, func() { interrupt(r) })()
	defer context.AfterFunc(closing, func() { interrupt(r) })()
	_, err := io.Copy(w, r)
	switch {
	case err == nil, closing.Err() != nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// interrupt ends a read that waits, if the reader may be interrupted from
// another goroutine. Of other types nobody knows.
func interrupt(r io.Reader) {
	switch r := r.(type) {
	case *io.PipeReader:
		r.Close()
	case *os.File:
		r.SetReadDeadline(time.Unix(1, 0))
	}
}
