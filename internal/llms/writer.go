package main

import (
	"go/ast"
	"go/doc"
	"go/printer"
	"go/token"
	"slices"
	"strings"
)

// writer writes declarations, each on a line with the first sentence of its comment.
type writer struct {
	*strings.Builder
	pkg *doc.Package
	set *token.FileSet

	methods bool // of an interface are the members
}

// line writes code with the first sentence of its comment, less the name that it begins
// with.
func (w writer) line(indent, code, name, comment string) {
	w.WriteString(indent + code)
	comment = strings.TrimPrefix(sentence(w.plain(comment)), name+" ")
	if comment = strings.TrimPrefix(comment, "is "); comment != "" {
		w.WriteString(" // " + comment)
	}
	w.WriteByte('\n')
}

// plain is a comment with its links as text.
func (w writer) plain(comment string) string {
	p := w.pkg.Printer()
	p.TextWidth = -1
	text, _, _ := strings.Cut(string(p.Text(w.pkg.Parser().Parse(comment))), "\n")
	return text
}

// A sentence of more than long bytes ends at its first semicolon.
const long = 100

// sentence is the first sentence of a text, in one line.
func sentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.Index(text, ". "); i >= 0 {
		text = text[:i]
	}
	if i := strings.Index(text, "; "); i >= 0 && len(text) > long {
		text = text[:i]
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "."), ":")
}

// code prints a node in one line.
func (w writer) code(node any) string {
	var b strings.Builder
	if err := (&printer.Config{Mode: printer.RawFormat}).Fprint(&b, w.set, node); err != nil {
		panic(err) // of a node that was parsed
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// wellKnown methods do what their name says everywhere, or are a Plugin's.
var wellKnown = []string{"Error", "Unwrap", "Is", "String", "MarshalJSON", "UnmarshalJSON", "Install", "Name", "Start", "Stop"}

func (w writer) funcs(list []*doc.Func) {
	for _, f := range list {
		if f.Recv != "" && slices.Contains(wellKnown, f.Name) {
			continue
		}
		d := *f.Decl
		d.Doc, d.Body = nil, nil
		code := w.code(&d)
		if f.Recv != "" {
			code = strings.TrimPrefix(code, "func ") // which says nothing
		}
		w.line("", code, f.Name, f.Doc)
	}
}

func (w writer) values(list []*doc.Value) {
	for _, v := range list {
		for _, spec := range v.Decl.Specs {
			s := spec.(*ast.ValueSpec)
			comment := s.Comment.Text()
			if comment == "" {
				comment = s.Doc.Text()
			}
			if comment == "" && len(v.Decl.Specs) == 1 {
				comment = v.Doc
			}
			bare := *s
			bare.Doc, bare.Comment = nil, nil
			if v.Decl.Tok == token.VAR {
				bare.Values = nil
			}
			w.line("", v.Decl.Tok.String()+" "+w.code(&bare), s.Names[0].Name, comment)
		}
	}
}

// declaration writes a type, and its exported fields or its methods on lines of their own.
func (w writer) declaration(t *doc.Type) {
	spec := t.Decl.Specs[0].(*ast.TypeSpec)
	bare := *spec
	bare.Doc, bare.Comment = nil, nil
	members, word := fields(spec.Type)
	if members != nil {
		bare.Type = ast.NewIdent(word)
	}
	if members.NumFields() == 0 {
		w.line("", "type "+w.code(&bare), t.Name, t.Doc)
		return
	}
	w.line("", "type "+w.code(&bare)+" {", t.Name, t.Doc)
	w.methods = word == "interface"
	for _, f := range members.List {
		w.member(f)
	}
	w.WriteString("}\n")
}

func fields(t ast.Expr) (members *ast.FieldList, word string) {
	switch t := t.(type) {
	case *ast.StructType:
		return t.Fields, "struct"
	case *ast.InterfaceType:
		return t.Methods, "interface"
	}
	return nil, ""
}

func (w writer) member(f *ast.Field) {
	comment := f.Comment.Text()
	if comment == "" {
		comment = f.Doc.Text()
	}
	var names []string
	for _, n := range f.Names {
		names = append(names, n.Name)
	}
	code := strings.Join(names, ", ") + " " + w.code(f.Type)
	if _, method := f.Type.(*ast.FuncType); method && w.methods {
		code = f.Names[0].Name + strings.TrimPrefix(w.code(f.Type), "func")
	}
	w.line("\t", strings.TrimSpace(code), strings.Join(names, ", "), comment)
}
