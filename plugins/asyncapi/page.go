package asyncapi

import (
	"bytes"
	"embed"
	"html/template"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apipage"
)

//go:embed page/page.html
var files embed.FS

//go:embed page/page.js
var script []byte

var page = template.Must(template.ParseFS(files, "page/page.html"))

// addPage registers the routes of the page.
func (p *Plugin) addPage(g *nextrush.Group) {
	g.Get(p.opts.Page, func(c *nextrush.Context) error {
		var b bytes.Buffer
		if err := page.Execute(&b, p.opts); err != nil {
			return err
		}
		if h := c.Writer().Header(); h.Get("Content-Security-Policy") == "" {
			h.Set("Content-Security-Policy", apipage.Policy)
		}
		return c.HTML(b.String())
	})
	g.Get(p.opts.Page+"/page.js", asset("text/javascript; charset=utf-8", apipage.Script(script)))
	g.Get(p.opts.Page+"/page.css", asset("text/css; charset=utf-8", apipage.Style))
}

func asset(contentType string, body []byte) nextrush.Handler {
	return func(c *nextrush.Context) error {
		return c.SetHeader("Cache-Control", "no-cache").Blob(contentType, body)
	}
}
