package client

import (
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/header"
)

// The program in clients/js/build makes these files.
//
//go:embed dist
var dist embed.FS

// codings are the content codings, with what they add to a file's name.
var codings = map[string]string{"": "", "br": ".br", "gzip": ".gz"}

// file is what the plugin serves under one name.
type file struct {
	contentType string
	hash        string // for URLs
	integrity   string
	forms       map[string]form // by content coding
}

// form is a file in one content coding, with an ETag of its own (RFC 9110 §8.8.3.3).
type form struct {
	body []byte
	tag  string
}

// files returns all by their names.
var files = sync.OnceValue(func() map[string]*file {
	all := map[string]*file{}
	for _, name := range []string{"nextrush.js", "nextrush-react.js", "nextrush.d.ts"} {
		all[name] = load(name)
	}
	return all
})

func load(name string) *file {
	f := &file{contentType: "text/javascript; charset=utf-8", forms: map[string]form{}}
	if path.Ext(name) == ".ts" {
		f.contentType = "application/typescript; charset=utf-8"
	}
	for coding, extension := range codings {
		body, err := dist.ReadFile("dist/" + name + extension)
		if err != nil {
			panic(err) // the build makes each in all forms
		}
		sum := sha256.Sum256(body)
		f.forms[coding] = form{body, fmt.Sprintf(`"%x"`, sum[:16])}
	}
	plain := f.forms[""].body
	sum, strong := sha256.Sum256(plain), sha512.Sum384(plain)
	f.hash = hex.EncodeToString(sum[:8])
	f.integrity = "sha384-" + base64.StdEncoding.EncodeToString(strong[:])
	return f
}

// serve answers with the form that the client prefers.
func (f *file) serve(cacheControl string) nextrush.Handler {
	return func(c *nextrush.Context) error {
		coding := c.AcceptsEncoding("br", "gzip")
		form := f.forms[coding]
		c.Vary("Accept-Encoding").SetHeader("ETag", form.tag).SetHeader("Cache-Control", cacheControl)
		c.SetHeader("X-Content-Type-Options", "nosniff")
		if form.matches(c.Request().Header["If-None-Match"]) {
			c.Writer().WriteHeader(http.StatusNotModified)
			return nil
		}
		if coding != "" {
			c.SetHeader("Content-Encoding", coding)
		}
		return c.Blob(f.contentType, form.body)
	}
}

// matches reports whether a client has the form (RFC 9110 §13.1.2). Tags are in
// hexadecimal digits, so letters of either case are no matter.
func (f form) matches(lines []string) bool {
	return header.HasToken(lines, f.tag) || header.HasToken(lines, "W/"+f.tag) || header.HasToken(lines, "*")
}
