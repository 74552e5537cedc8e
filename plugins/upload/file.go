package upload

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"os"
	"slices"
	"strings"
)

// File is a file that Handler has read. Its methods must be called in the goroutine of
// the request, during the request.
type File struct {
	Field string
	Name  string // the client's, without a path: show it, but do not save under it
	Type  string // media type that the content shows
	Size  int64  // bytes

	data []byte // the content, or
	temp string // the name of the file on disk that has it
}

// keep keeps the content, in memory or, if it is larger, on disk.
func (f *File) keep(o *Options, from io.Reader) error {
	var start bytes.Buffer
	n, err := io.CopyN(&start, from, o.Memory+1)
	if err == io.EOF {
		f.data, f.Size = start.Bytes(), n
		return nil
	}
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(o.Dir, "upload-")
	if err != nil {
		return err
	}
	f.temp = temp.Name()
	f.Size, err = io.Copy(temp, io.MultiReader(&start, from))
	return errors.Join(err, temp.Close())
}

func (f *File) remove() {
	if f.temp != "" {
		os.Remove(f.temp)
	}
}

// Open reads the file from its start.
func (f *File) Open() (io.ReadSeekCloser, error) {
	if f.temp != "" {
		return os.Open(f.temp)
	}
	return nopCloser{bytes.NewReader(f.data)}, nil
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// Save writes the file to dir under a name that the program chooses. It fails if there is
// such a file already (fs.ErrExist), or if the name leads out of dir.
func (f *File) Save(dir, name string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		root.Remove(name)
	}
	return err
}

// common lists the extensions to use for types that have several.
var common = []string{".jpg", ".html", ".txt", ".mp4", ".mp3", ".tif", ".zip", ".gz", ".pdf", ".png", ".gif", ".webp"}

// Ext returns the extension of file names for the type that the content shows: ".png".
// It is empty if there is none.
func (f *File) Ext() string {
	base, _, _ := strings.Cut(f.Type, ";")
	all, _ := mime.ExtensionsByType(base)
	for _, ext := range common {
		if slices.Contains(all, ext) {
			return ext
		}
	}
	if len(all) == 0 || base == "application/octet-stream" {
		return ""
	}
	return all[0]
}
