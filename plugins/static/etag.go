package static

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

// maxHashed is the size in bytes of the largest file that is hashed. That takes some
// hundredths of a second.
const maxHashed = 8 << 20

// tags keeps the strong ETag of each requested file: a hash of its content, made again if
// the size or modification time has changed.
type tags struct {
	byName sync.Map // name: *tagged
}

type tagged struct {
	busy    chan struct{} // holds a value while a goroutine hashes, and guards what follows
	size    int64
	changed time.Time
	tag     string // empty: not hashed yet
}

// of returns the ETag of a file, and leaves content at its start. The tag of a large file
// is a weak one of size and modification time (RFC 9110 §8.8.1), unless it has no
// modification time, as in an embed.FS.
func (t *tags) of(ctx context.Context, name string, info fs.FileInfo, content io.ReadSeeker) (string, error) {
	if info.Size() > maxHashed && !info.ModTime().IsZero() {
		return fmt.Sprintf(`W/"%x-%x"`, info.Size(), info.ModTime().UnixNano()), nil
	}
	v, ok := t.byName.Load(name)
	if !ok {
		v, _ = t.byName.LoadOrStore(name, &tagged{busy: make(chan struct{}, 1)})
	}
	known := v.(*tagged)
	select {
	case known.busy <- struct{}{}:
		defer func() { <-known.busy }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if known.tag != "" && known.size == info.Size() && known.changed.Equal(info.ModTime()) {
		return known.tag, nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", err
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	known.size, known.changed = info.Size(), info.ModTime()
	known.tag = `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`
	return known.tag, nil
}
