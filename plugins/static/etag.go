package static

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"sync"
	"time"
)

// tags keeps the strong ETag of each file that was asked for: a hash of its
// content, made again when its size or modification time has changed.
type tags struct {
	byName sync.Map // name: tagged
}

type tagged struct {
	size    int64
	changed time.Time
	tag     string
}

// of leaves content at its start. Two requests may hash the same file at once;
// both come to the same.
func (t *tags) of(name string, info fs.FileInfo, content io.ReadSeeker) (string, error) {
	if v, ok := t.byName.Load(name); ok {
		if known := v.(tagged); known.size == info.Size() && known.changed.Equal(info.ModTime()) {
			return known.tag, nil
		}
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", err
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	tag := `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`
	t.byName.Store(name, tagged{info.Size(), info.ModTime(), tag})
	return tag, nil
}
