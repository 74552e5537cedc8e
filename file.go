package nextrush

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// File answers with a file, with ranges and If-Modified-Since. The path is the
// program's: it must not be made of what the client sent; for that there is
// os.Root. A directory is 404, like a file that is not there.
func (c *Context) File(path string) error {
	f, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return NewError(http.StatusNotFound)
	}
	return c.ServeContent(info.Name(), info.ModTime(), f)
}

// openFile opens exactly that path: a symbolic link at its end that leads out of
// its directory is refused.
func openFile(path string) (*os.File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, notFound(err)
	}
	defer root.Close()
	f, err := root.Open(filepath.Base(path))
	if err != nil {
		return nil, notFound(err)
	}
	return f, nil
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return NewError(http.StatusForbidden).WithCause(err)
	}
	return NewError(http.StatusNotFound).WithCause(err)
}

// Download answers with a file to be saved under a name, without a path before it;
// without one, under its own.
func (c *Context) Download(path string, name ...string) error {
	h := c.w.Header()
	h.Set("Content-Disposition", attachment(append(slices.Clip(name), filepath.Base(path))...))
	err := c.File(path)
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// attachment is a Content-Disposition with the first of the names that is one, as in
// RFC 6266 §4 and appendix D: a plain name for old clients, and the exact one in RFC
// 8187's form where they differ.
func attachment(names ...string) string {
	for _, name := range names {
		name = fileName(name)
		if name == "" {
			continue
		}
		plain := strings.Map(func(r rune) rune {
			if r > '~' || strings.ContainsRune(`"%`, r) {
				return '_'
			}
			return r
		}, name)
		value := `attachment; filename="` + plain + `"`
		if plain != name {
			value += "; filename*=UTF-8''" + extValue(name)
		}
		return value
	}
	return "attachment"
}

const (
	maxFileName  = 255 // bytes, as file systems take
	maxExtension = 16  // bytes of what stays where a name is cut, with its dot
)

// fileName is the last segment of a name, which a client may save a file under (RFC
// 6266 §4.3): with slashes of either kind, and without characters that hide what it
// is. It is empty if none is left.
func fileName(name string) string {
	name = strings.ToValidUTF8(name[strings.LastIndexAny(name, `/\`)+1:], "_")
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, ". ") == "" {
		return ""
	}
	if len(name) > maxFileName {
		ext := filepath.Ext(name)
		if len(ext) > maxExtension {
			ext = ""
		}
		name = strings.ToValidUTF8(name[:maxFileName-len(ext)], "") + ext
	}
	return name
}

// extValue percent-encodes all but attr-char (RFC 8187 §3.2.1).
func extValue(s string) string {
	var b strings.Builder
	for _, ch := range []byte(s) {
		alnum := ch >= '0' && ch <= '9' || ch >= 'A' && ch <= 'Z' || ch >= 'a' && ch <= 'z'
		if alnum || strings.IndexByte("!#$&+-.^_`|~", ch) >= 0 {
			b.WriteByte(ch)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", ch)
	}
	return b.String()
}
