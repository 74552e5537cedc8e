package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

const module = "github.com/nextrush/nextrush"

// load reads the documentation of the package in a folder.
func load(root, dir string) (*doc.Package, *token.FileSet, error) {
	set := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return nil, nil, err
	}
	var parsed []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		parsed = append(parsed, f)
	}
	p, err := doc.NewFromFiles(set, parsed, path.Join(module, dir))
	return p, set, err
}

// block returns a code block of a language in a page of the docs; -1 is the last one.
func block(root, page, language string, i int) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		return "", err
	}
	parts := strings.Split(string(text), "\n```"+language+"\n")[1:]
	if i < 0 {
		i += len(parts)
	}
	if i < 0 || i >= len(parts) {
		return "", fmt.Errorf("%s has %d blocks of %s", page, len(parts), language)
	}
	code, _, _ := strings.Cut(parts[i], "```")
	return "```" + language + "\n" + code + "```\n", nil
}

// pages lists the pages of the docs as links, each with the first sentence of its text.
func pages(root string) (links []string, err error) {
	docs := filepath.Join(root, "docs")
	files, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil {
		return nil, err
	}
	recipes, err := filepath.Glob(filepath.Join(docs, "cookbook", "*.md"))
	if err != nil {
		return nil, err
	}
	for _, name := range append(files, recipes...) {
		if filepath.Base(name) == "README.md" {
			continue // an index of the others
		}
		place, err := filepath.Rel(docs, name)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		head, rest, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
		first, _, _ := strings.Cut(strings.TrimSpace(rest), "\n\n")
		links = append(links, fmt.Sprintf("- [%s](%s): %s", head, filepath.ToSlash(place), sentence(link.ReplaceAllString(first, "$1"))))
	}
	return links, nil
}

var link = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)

// modules lists the plugins that are modules of their own.
func modules(root string) (names []string, err error) {
	for _, pattern := range []string{"plugins/*/go.mod", "plugins/*/*/go.mod", "plugins/*/*/*/go.mod"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			rel, err := filepath.Rel(root, filepath.Dir(f))
			if err != nil {
				return nil, err
			}
			names = append(names, filepath.ToSlash(rel))
		}
	}
	return names, nil
}
