package upload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"unicode"

	"github.com/nextrush/nextrush"
)

// Part is one part of a form, as it arrives. Read it before the function that gets it
// returns; the rest is skipped.
type Part struct {
	Field string
	Name  string // the client's name of the file, without a path; empty: not a file
	Type  string // media type that the content of a file shows

	r    io.Reader
	max  int64
	read int64
}

// Read returns an *nextrush.HTTPError with status 413 if the part exceeds its limit, and
// with 400 if it ends too soon.
func (p *Part) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.read += int64(n)
	if p.read > p.max {
		return 0, p.refuse(http.StatusRequestEntityTooLarge, "max", fmt.Sprint(p.max), fmt.Sprintf("has more than %d bytes", p.max))
	}
	if err != nil && err != io.EOF {
		err = malformed(err)
	}
	return n, err
}

// refuse returns the error that says what is wrong with the part.
func (p *Part) refuse(status int, rule, param, message string) error {
	if p.Name != "" {
		message = fmt.Sprintf("%.100q %s", p.Name, message)
	}
	return nextrush.NewError(status, fmt.Sprintf("%.100s: %s", p.Field, message)).
		WithDetails([]nextrush.FieldError{{Field: p.Field, Rule: rule, Param: param, Message: message}})
}

func (p *Part) text() (string, error) {
	b, err := io.ReadAll(p)
	return string(b), err
}

// Each reads a form and calls f with each part, in order. It returns the errors of
// Handler, or the first error of f. It panics on a mistake in the options.
func Each(c *nextrush.Context, o Options, f func(*Part) error) error {
	o = o.withDefaults()
	return each(c, &o, f)
}

func each(c *nextrush.Context, o *Options, f func(*Part) error) error {
	if !c.Is("multipart/form-data") {
		return nextrush.NewError(http.StatusUnsupportedMediaType, "the Content-Type must be multipart/form-data")
	}
	if err := c.LimitBody(o.MaxTotal); err != nil {
		return err
	}
	_, params, err := mime.ParseMediaType(c.Header("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return malformed(http.ErrMissingBoundary)
	}
	body := &betweenParts{Reader: c.Request().Body}
	form := multipart.NewReader(body, params["boundary"])
	var seen counts
	for {
		body.left, body.limited = maxHeader, true
		raw, err := form.NextPart()
		body.limited = false
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return malformed(err)
		}
		p, err := o.part(raw)
		if err != nil {
			return err
		}
		if err := seen.add(o, p); err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, p); err != nil {
			return err
		}
	}
}

// counts are of parts.
type counts struct{ files, fields int }

func (n *counts) add(o *Options, p *Part) error {
	count, limit, what := &n.fields, o.MaxFields, "fields"
	if p.Name != "" {
		count, limit, what = &n.files, o.MaxFiles, "files"
	}
	if *count++; *count <= limit {
		return nil
	}
	return p.refuse(http.StatusRequestEntityTooLarge, "max", fmt.Sprint(limit), fmt.Sprintf("is one of more than %d %s", limit, what))
}

// maxHeader is the largest number of bytes between the contents of two parts: the header
// of the second, with the names of its field and file, which is read into memory.
const maxHeader = 8 << 10

// betweenParts reads the body, and no more than left bytes of it while it is limited. The
// form's reader may already have up to 4 KiB in its buffer.
type betweenParts struct {
	io.Reader
	limited bool
	left    int
}

func (b *betweenParts) Read(p []byte) (int, error) {
	if !b.limited {
		return b.Reader.Read(p)
	}
	if b.left == 0 {
		return 0, tooLarge(fmt.Sprintf("the header of a part has more than %d bytes", maxHeader))
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (o *Options) part(raw *multipart.Part) (*Part, error) {
	p := &Part{Field: raw.FormName(), Name: baseName(raw.FileName()), r: raw, max: o.MaxField}
	if p.Name == "" {
		return p, nil
	}
	p.max = o.MaxFile
	buffered := bufio.NewReaderSize(raw, 512)
	start, err := buffered.Peek(512)
	if err != nil && err != io.EOF {
		return nil, malformed(err)
	}
	p.r, p.Type = buffered, http.DetectContentType(start)
	if !o.allows(p.Type) {
		return nil, p.refuse(http.StatusUnprocessableEntity, "type", strings.Join(o.Types, " "), "must be of type "+strings.Join(o.Types, " or "))
	}
	return p, nil
}

// baseName returns a client's name of a file without its path, which may be one of
// Windows, and without characters that would harm a log or a terminal. It is "file" if
// nothing is left.
func baseName(name string) string {
	if name == "" {
		return ""
	}
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	if strings.Trim(name, "./ ") == "" {
		return "file"
	}
	return name
}

func tooLarge(message string) error {
	return nextrush.NewError(http.StatusRequestEntityTooLarge, message)
}

// malformed returns a 400, or a 413 if the whole request is too large.
func malformed(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, multipart.ErrMessageTooLarge) {
		return tooLarge("the upload is too large")
	}
	var known *nextrush.HTTPError
	if errors.As(err, &known) {
		return err
	}
	return nextrush.NewError(http.StatusBadRequest, "the form is malformed").WithCause(err)
}
