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

// File is a file that Handler has read. Its methods are for the goroutine of the
// request, during the request.
type File struct {
	Field string
	Name  string // as the client has it, without a path: to be shown, not to be saved under
	Type  string // media type that the content shows
	Size  int64  // bytes

	data []byte // its content, or
	temp string // the name of the file that has it
}

// keep takes the content: into memory, and onto disk when it is larger.
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

// Save writes the file to dir under a name that the program chooses. A name that
// is there already is an error (fs.ErrExist), and so is one that leads out of dir.
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

// common are the extensions of types that have several.
var common = []string{".jpg", ".html", ".txt", ".mp4", ".mp3", ".tif", ".zip", ".gz", ".pdf", ".png", ".gif", ".webp"}

// Ext is a file name's extension for the type that the content shows: ".png". It
// is empty if there is none.
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
