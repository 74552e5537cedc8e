// Package client serves the client for pages, which comes with the program.
//
//	app.Register(client.New())
//
// A page imports it, and needs no bundler:
//
//	<script type="module">
//	import { connect } from "/nextrush.js";
//	</script>
//
// Pages that are made by templates can put Script before their other scripts: then what
// they import is checked, and kept by browsers for a year.
package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

const (
	fresh   = "no-cache" // ask each time, with the ETag
	forever = "public, max-age=31536000, immutable"
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	Path string // folder of the URLs: "/assets"; empty: the root
}

// Plugin serves /nextrush.js, with all of the client but what is for React, which is
// /nextrush-react.js, and /nextrush.d.ts. Its methods are safe from any goroutine.
type Plugin struct {
	path   string
	script *file
	hashed string // path of the script under its hash
}

// New makes the plugin. Its Install fails if Path has parameters.
func New(opts ...Options) *Plugin {
	o := opt.First(opts)
	p := &Plugin{path: "/" + strings.Trim(o.Path, "/"), script: files()["nextrush.js"]}
	p.hashed = path.Join(p.path, "nextrush."+p.script.hash+".js")
	return p
}

// Name is "client".
func (p *Plugin) Name() string { return "client" }

// Install registers the routes.
func (p *Plugin) Install(app *nextrush.App) error {
	if strings.ContainsAny(p.path, ":*") {
		return errors.New("the option Path must not have parameters")
	}
	for name, f := range files() {
		app.Get(path.Join(p.path, name), f.serve(fresh))
	}
	app.Get(p.hashed, p.script.serve(forever))
	return nil
}

// URL is the path of nextrush.js with a hash of its content in it: what is behind it never
// changes, so browsers keep it. In an App that is mounted, put the prefix before it.
func (p *Plugin) URL() string { return escape(p.hashed) }

// Integrity is that of nextrush.js, "sha384-…", for the attribute of that name: browsers
// refuse another content (https://www.w3.org/TR/sri-2/).
func (p *Plugin) Integrity() string { return p.script.integrity }

// Script is for the head of a page, before its other scripts. It loads URL, of which it
// gives the Integrity, and has an import map that leads "/nextrush.js" and the names of
// the npm package, "nextrush-client" and "nextrush-client/presence", there. The
// import map is an inline script: nonce is that of the page's policy, as of
// middleware.CSPNonce; empty: none. A page with an import map of its own names URL and
// Integrity in that one instead.
func (p *Plugin) Script(nonce string) template.HTML {
	imports, err := json.Marshal(map[string]map[string]string{
		"imports": {
			escape(path.Join(p.path, "nextrush.js")): p.URL(), "nextrush-client": p.URL(), "nextrush-client/presence": p.URL(),
		},
		"integrity": {p.URL(): p.Integrity()},
	})
	if err != nil {
		panic(err) // strings have a JSON form
	}
	if nonce != "" {
		nonce = ` nonce="` + template.HTMLEscapeString(nonce) + `"`
	}
	return template.HTML(fmt.Sprintf(`<script type="importmap"%s>%s</script>
<script type="module" src="%s" integrity="%s"%[1]s></script>`,
		nonce, imports, template.HTMLEscapeString(p.URL()), p.Integrity()))
}

func escape(path string) string { return (&url.URL{Path: path}).EscapedPath() }
