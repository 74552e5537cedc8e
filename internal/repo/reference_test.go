package repo

import (
	"go/ast"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The reference has every exported name of package websocket; methods and fields where it
// speaks of their type.
func TestTheReferenceHasEveryNameOfPackageWebsocket(t *testing.T) {
	page := read(t, "docs/websocket-reference.md")
	names := 0
	for _, f := range publicPackages(t)["websocket"] {
		if strings.HasSuffix(filepath.Base(f.path), "_test.go") {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, n := range namesOf(decl) {
				names++
				if !regexp.MustCompile("`[^`\n]*\\b" + n.name + "\\b[^`\n]*`").MatchString(about(page, n.owner)) {
					t.Errorf("docs/websocket-reference.md does not have %s: add it to the section of that type", strings.TrimPrefix(n.owner+"."+n.name, "."))
				}
			}
		}
	}
	if names < 400 {
		t.Fatalf("found only %d names", names)
	}
}

// about is the section of a page with a type's name as its heading, and every paragraph
// and table with that name; without a name all of the page.
func about(page, name string) (text string) {
	if name == "" {
		return page
	}
	level := 0 // of the heading of the section, while in it
	for block := range strings.SplitSeq(page, "\n\n") {
		if h := headline.FindStringSubmatch(block); h != nil {
			if h[2] == name {
				level = len(h[1])
			} else if len(h[1]) <= level {
				level = 0
			}
		}
		if level > 0 || regexp.MustCompile("`\\*?"+name+"\\b").MatchString(block) {
			text += block + "\n\n"
		}
	}
	return text
}

var headline = regexp.MustCompile(`^(#+) (.*)$`)

type exportedName struct{ owner, name string }

// namesOf lists the exported names that a declaration makes, fields and methods of
// exported types among them.
func namesOf(decl ast.Decl) (names []exportedName) {
	add := func(owner string, idents ...*ast.Ident) {
		for _, id := range idents {
			if id.IsExported() && (owner == "" || ast.IsExported(owner)) {
				names = append(names, exportedName{owner, id.Name})
			}
		}
	}
	if f, ok := decl.(*ast.FuncDecl); ok {
		add(receiver(f), f.Name)
		return names
	}
	for _, spec := range decl.(*ast.GenDecl).Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			add("", s.Names...)
		case *ast.TypeSpec:
			add("", s.Name)
			var members *ast.FieldList
			switch u := s.Type.(type) {
			case *ast.StructType:
				members = u.Fields
			case *ast.InterfaceType:
				members = u.Methods
			default:
				continue
			}
			for _, field := range members.List {
				add(s.Name.Name, field.Names...)
			}
		}
	}
	return names
}

// receiver is the name of the type whose method f is, or "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	return t.(*ast.Ident).Name
}
