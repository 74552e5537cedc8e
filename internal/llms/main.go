// Command llms writes docs/llms.txt: the rules of use, examples, and the whole exported
// API with the first sentence of each comment, in one file for assistants. Its form
// follows llmstxt.org.
//
//	go run ./internal/llms
//
// With -o - it writes to the standard output. It runs in the root of the repository.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"go/doc"
	"os"
	"strings"
	"text/template"
)

//go:embed llms.tmpl
var page string

func main() {
	out := flag.String("o", "docs/llms.txt", "file to write; -: the standard output")
	flag.Parse()
	text, err := write(".")
	switch {
	case err != nil:
	case *out == "-":
		_, err = os.Stdout.Write(text)
	default:
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "llms:", err)
		os.Exit(1)
	}
}

// write fills the template from the repository in a folder.
func write(root string) ([]byte, error) {
	funcs := template.FuncMap{
		"api":   func(dir string) (string, error) { return api(root, dir) },
		"code":  func(page, language string, i int) (string, error) { return block(root, page, language, i) },
		"pages": func() ([]string, error) { return pages(root) },
		"own":   func() ([]string, error) { return modules(root) },
	}
	t, err := template.New("llms.tmpl").Funcs(funcs).Parse(page)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = t.Execute(&text, packages)
	return text.Bytes(), err
}

// packages are the folders of the packages that users import, in the order of the page.
var packages = []string{
	".", "websocket", "websocket/broker", "websocket/brokertest", "middleware", "nextrushtest",
	"plugins/static", "plugins/client", "plugins/upload", "plugins/views", "plugins/session", "plugins/session/redis", "plugins/auth", "plugins/oauth",
	"plugins/health", "plugins/metrics", "plugins/tracing", "plugins/profiler", "plugins/openapi", "plugins/asyncapi",
	"plugins/events", "plugins/redis", "plugins/cluster/redis", "plugins/cluster/nats", "plugins/cluster/nats/embedded", "plugins/breaker", "plugins/autotls",
	"middleware/storetest", "plugins/auth/authtest", "plugins/nats",
}

// api is the section of a package.
func api(root, dir string) (string, error) {
	p, set, err := load(root, dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## Package %s\n\n%s\n\n```go\nimport %q\n", p.Name, p.Synopsis(p.Doc), p.ImportPath)
	w := writer{Builder: &b, pkg: p, set: set}
	w.values(p.Consts)
	w.values(p.Vars)
	w.funcs(p.Funcs)
	for _, t := range p.Types {
		w.typ(t)
	}
	b.WriteString("```\n")
	return b.String(), nil
}

func (w writer) typ(t *doc.Type) {
	w.WriteString("\n")
	w.declaration(t)
	w.values(t.Consts)
	w.values(t.Vars)
	w.funcs(t.Funcs)
	if w.pkg.Name == "nextrush" && t.Name == "Group" {
		w.WriteString("// A Group has the methods of App that register routes and middleware: Get to WSUse.\n")
		return
	}
	w.funcs(t.Methods)
}
