package nextrushtest

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"path"
)

// Multipart is a body of multipart/form-data. The zero value is an empty one:
//
//	c.Post("/pictures", nextrushtest.Multipart{}.Field("title", "Cat").File("picture", "cat.png", png))
type Multipart struct{ parts []part }

type part struct{ name, file, value string }

// Field returns m with a field added.
func (m Multipart) Field(name, value string) Multipart { return m.add(part{name: name, value: value}) }

// File returns m with a file added. Its media type is that of the extension.
func (m Multipart) File(name, filename string, content []byte) Multipart {
	return m.add(part{name, cmp.Or(filename, "file"), string(content)})
}

func (m Multipart) add(p part) Multipart {
	return Multipart{append(m.parts[:len(m.parts):len(m.parts)], p)}
}

func (m Multipart) encode() (io.Reader, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range m.parts {
		if err := p.write(w); err != nil {
			return nil, "", fmt.Errorf("the part %q: %w", p.name, err)
		}
	}
	err := w.Close()
	return &b, w.FormDataContentType(), err
}

func (p part) write(w *multipart.Writer) error {
	if p.file == "" {
		return w.WriteField(p.name, p.value)
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition(p.name, p.file))
	header.Set("Content-Type", cmp.Or(mime.TypeByExtension(path.Ext(p.file)), "application/octet-stream"))
	out, err := w.CreatePart(header)
	if err == nil {
		_, err = io.WriteString(out, p.value)
	}
	return err
}
