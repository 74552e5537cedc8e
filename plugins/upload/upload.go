// Package upload receives the files of a form (multipart/form-data, RFC 7578), with
// limits for each and for all. The type of a file is the one that its content shows, not
// the one that the client says.
//
//	app.Post("/photos", upload.Handler(upload.Options{Types: []string{"image/*"}}), func(c *nextrush.Context) error {
//		for _, f := range upload.From(c).Files {
//			if err := f.Save("photos", newName()+f.Ext()); err != nil {
//				return err
//			}
//		}
//		return c.NoContent()
//	})
//
// Each calls a function with the parts as they arrive, and keeps nothing.
package upload

import (
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// Options bounds an upload. The zero value is complete.
type Options struct {
	MaxFile   int64 // bytes of one file; 0: 10 MiB
	MaxFiles  int   // 0: 10
	MaxField  int64 // bytes of the value of a field that is not a file; 0: 64 KiB
	MaxFields int   // 0: 100
	MaxTotal  int64 // bytes of the request, instead of Options.BodyLimit of the App; 0: 32 MiB

	// Types are the media types that files may have: "image/png", "image/*". The type of
	// a file is the one that its first 512 bytes show (net/http.DetectContentType), not
	// the one that the client says. A type that no content shows, such as image/svg+xml,
	// panics. Empty: all.
	Types []string

	Memory int64  // bytes up to which Handler keeps a file in memory instead of on disk; 0: 64 KiB
	Dir    string // for files on disk during the request; empty: os.TempDir
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxFile, 10<<20)
	setDefault(&o.MaxFiles, 10)
	setDefault(&o.MaxField, 64<<10)
	setDefault(&o.MaxFields, 100)
	setDefault(&o.MaxTotal, 32<<20)
	setDefault(&o.Memory, 64<<10)
	o.Types = slices.Clone(o.Types)
	for i, t := range o.Types {
		t = strings.ToLower(t)
		if _, err := path.Match(t, ""); err != nil || !strings.Contains(t, "/") {
			panic("upload: Types: " + t + " is not a media type: write it as image/png or image/*")
		}
		if !slices.ContainsFunc(shown, func(have string) bool { ok, _ := path.Match(t, have); return ok }) {
			panic("upload: Types: no content shows " + t + ": give a type of net/http.DetectContentType, and look into the file in the handler")
		}
		o.Types[i] = t
	}
	return o
}

// shown lists the types that net/http.DetectContentType finds in the start of a content
// (WHATWG MIME Sniffing §7). SVG, JSON and CSV are not among them.
var shown = []string{
	"application/octet-stream", "application/ogg", "application/pdf", "application/postscript", "application/vnd.ms-fontobject",
	"application/wasm", "application/x-gzip", "application/x-rar-compressed", "application/zip",
	"audio/aiff", "audio/basic", "audio/midi", "audio/mpeg", "audio/wave",
	"font/collection", "font/otf", "font/ttf", "font/woff", "font/woff2",
	"image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp", "image/x-icon",
	"text/html", "text/plain", "text/xml", "video/avi", "video/mp4", "video/webm",
}

func setDefault[T int | int64](v *T, otherwise T) {
	if *v < 0 {
		panic("upload: a limit is negative: leave it out for the default")
	}
	if *v == 0 {
		*v = otherwise
	}
}

func (o *Options) allows(mediaType string) bool {
	if len(o.Types) == 0 {
		return true
	}
	base, _, _ := strings.Cut(mediaType, ";")
	for _, t := range o.Types {
		if ok, _ := path.Match(t, base); ok {
			return true
		}
	}
	return false
}

// Form is what Handler has read.
type Form struct {
	Values url.Values // of the fields that are not files
	Files  []*File    // in the order in which they came
}

// File returns the first file of a field, or nil.
func (f *Form) File(field string) *File {
	for _, file := range f.Files {
		if file.Field == field {
			return file
		}
	}
	return nil
}

const formKey = "upload.form"

// Handler is middleware that reads the form; the handlers that follow get it from From.
// After them the files are removed in any case, so they must save those that they want
// to keep.
//
// Errors are *nextrush.HTTPErrors: 415 if the body is not such a form, 413 if anything
// exceeds its limit, with 8 KiB for the header of a part, 422 if a file has a type that
// is not in Types, and 400 if the body is malformed or ends too soon. If one part is to
// blame, a nextrush.FieldError names it. Handler panics on a mistake in the options.
func Handler(opts ...Options) nextrush.Handler {
	o := opt.First(opts).withDefaults()
	if info, err := os.Stat(o.Dir); o.Dir != "" && (err != nil || !info.IsDir()) {
		panic("upload: Dir: " + o.Dir + " is not a directory: make it first")
	}
	return func(c *nextrush.Context) error {
		form := &Form{Values: make(url.Values)}
		defer form.remove()
		if err := each(c, &o, func(p *Part) error { return form.add(&o, p) }); err != nil {
			return err
		}
		c.Set(formKey, form)
		return c.Next()
	}
}

// From returns the form that Handler has read, or nil without Handler before it.
func From(c *nextrush.Context) *Form {
	form, _ := nextrush.Value[*Form](c, formKey)
	return form
}

func (f *Form) add(o *Options, p *Part) error {
	if p.Name == "" {
		value, err := p.text()
		f.Values.Add(p.Field, value)
		return err
	}
	file := &File{Field: p.Field, Name: p.Name, Type: p.Type}
	f.Files = append(f.Files, file)
	return file.keep(o, p)
}

func (f *Form) remove() {
	for _, file := range f.Files {
		file.remove()
	}
}
