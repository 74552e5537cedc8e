package upload

import (
	"bufio"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"unicode"

	"github.com/nextrush/nextrush"
)

// Part is one part of a form as it arrives. Read it before the function that got
// it returns; what is left is skipped.
type Part struct {
	Field string
	Name  string // of the file, as the client has it but without a path; empty: no file
	Type  string // media type that the content of a file shows

	r    io.Reader
	max  int64
	read int64
}

// Read returns an *nextrush.HTTPError with status 413 when the part is longer than
// it may be, and 400 when it ends too soon.
func (p *Part) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.read += int64(n)
	if p.read > p.max {
		return 0, tooLarge(p.Field + " is too large")
	}
	if err != nil && err != io.EOF {
		err = malformed(err)
	}
	return n, err
}

func (p *Part) text() (string, error) {
	b, err := io.ReadAll(p)
	return string(b), err
}

// Each reads a form and hands its parts to f in their order. Its errors are those
// of Handler, and what f returns ends it. It panics on a mistake in the options.
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
	form, err := c.Request().MultipartReader()
	if err != nil {
		return malformed(err)
	}
	files, fields := 0, 0
	for {
		raw, err := form.NextPart()
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
		if p.Name != "" {
			files++
		} else {
			fields++
		}
		if files > o.MaxFiles || fields > o.MaxFields {
			return tooLarge("too many parts")
		}
		if err := f(p); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, p); err != nil {
			return err
		}
	}
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
		return nil, nextrush.NewError(http.StatusUnprocessableEntity, "a file has a type that is not taken").
			WithDetails([]nextrush.FieldError{{
				Field: p.Field, Rule: "type", Param: strings.Join(o.Types, " "),
				Message: "must be of type " + strings.Join(o.Types, " or "),
			}})
	}
	return p, nil
}

// baseName is a client's name of a file without its path, Windows' own among
// them, and without what a log or a terminal would stumble over. A file without a
// usable name is "file".
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

// malformed is 400, or 413 where the whole request was too large.
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
