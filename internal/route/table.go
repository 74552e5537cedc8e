package route

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// anyMethods are those of an entry for any method.
var anyMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// Entry is what a Table finds. Of the entries for a method, those of GET are for HEAD
// too, after its own, and those for any method come last.
type Entry[E any] struct {
	Method  string // empty: any
	Pattern *Pattern
	Value   E
	Host    *Pattern // for BuildSites; nil: any
}

// Table finds entries. It never changes, and is safe from any goroutine.
//
// httprouter's tree refuses patterns that overlap, so a method has several: its static
// patterns are in a map, and each of the others is in the first tree after all patterns
// that overlap it and take precedence. Trees are asked in that order, and the first
// answer is the right one. In the trees all parameters have the same name, since a name
// belongs to one pattern but a position to many.
type Table[E any] struct{ methods map[string]*method[E] }

type method[E any] struct {
	static  map[string]*Entry[E]
	entries []*Entry[E] // those in the trees
	trees   []*httprouter.Router
}

// Params are the values of a pattern's parameters in their order, decoded; that of a
// catch-all is without the slash before it.
type Params httprouter.Params

// At returns the i-th value, or "".
func (p Params) At(i int) string {
	if i >= len(p) {
		return ""
	}
	return p[i].Value
}

// Build makes a table. Of several entries for one method and the same paths it takes
// the first.
func Build[E any](entries []Entry[E]) *Table[E] {
	t := &Table[E]{methods: make(map[string]*method[E])}
	for name, list := range byMethod(entries) {
		t.methods[name] = build(list)
	}
	return t
}

// byMethod gives each method its entries, one for each canonical path.
func byMethod[E any](entries []Entry[E]) map[string][]*Entry[E] {
	methods := make(map[string]map[string]*Entry[E])
	put := func(method string, e *Entry[E]) {
		if methods[method] == nil {
			methods[method] = make(map[string]*Entry[E])
		}
		if methods[method][e.Pattern.Canonical] == nil {
			methods[method][e.Pattern.Canonical] = e
		}
	}
	putAll := func(of string, methods ...string) {
		for i := range entries {
			for _, m := range methods {
				if entries[i].Method == of {
					put(m, &entries[i])
				}
			}
		}
	}
	for i := range entries {
		if m := entries[i].Method; m != "" {
			put(m, &entries[i])
		}
	}
	putAll(http.MethodGet, http.MethodHead)
	putAll("", anyMethods...)
	lists := make(map[string][]*Entry[E], len(methods))
	for method, list := range methods {
		lists[method] = slices.Collect(maps.Values(list))
	}
	return lists
}

func build[E any](entries []*Entry[E]) *method[E] {
	slices.SortFunc(entries, func(a, b *Entry[E]) int { return a.Pattern.compare(b.Pattern) })
	m := &method[E]{static: make(map[string]*Entry[E])}
	var layers [][]*Pattern
	for _, e := range entries {
		if e.Pattern.isStatic() {
			m.static[e.Pattern.Canonical] = e
			continue
		}
		i := layerFor(e.Pattern, layers)
		if i == len(layers) {
			layers = append(layers, nil)
			m.trees = append(m.trees, httprouter.New())
		}
		layers[i] = append(layers[i], e.Pattern)
		m.trees[i].Handle(http.MethodGet, e.Pattern.Canonical, numbered(len(m.entries)))
		m.entries = append(m.entries, e)
	}
	return m
}

// layerFor is the first tree after all overlapping patterns that has room for p.
func layerFor(p *Pattern, layers [][]*Pattern) int {
	first := 0
	for i, layer := range layers {
		if slices.ContainsFunc(layer, p.overlaps) {
			first = i + 1
		}
	}
	for i := first; i < len(layers); i++ {
		if !slices.ContainsFunc(layers[i], func(o *Pattern) bool { return !o.shareTree(p) }) {
			return i
		}
	}
	return len(layers)
}

// numbered is the handle of an entry in a tree. It writes the number of the entry over
// the name of the first parameter, which tells nothing: a tree has nothing to find but
// handles, and all of its patterns have a parameter.
func numbered(i int) httprouter.Handle {
	number := strconv.Itoa(i)
	return func(_ http.ResponseWriter, _ *http.Request, params httprouter.Params) { params[0].Key = number }
}

// Find returns the value of the entry that takes precedence among those for the method
// and path; ok is false if there is none.
func (t *Table[E]) Find(method string, path urlpath.Path) (value E, params Params, ok bool) {
	m := t.methods[method]
	if m == nil {
		return value, nil, false
	}
	e, found := m.find(path)
	if e == nil {
		return value, nil, false
	}
	if e.Pattern.endsInCatchAll() {
		last := &found[len(found)-1]
		last.Value = last.Value[1:]
	}
	return e.Value, Params(found), true
}

// Methods lists those that have an entry for the path, sorted. On "*", which stands for
// the whole server, these are all that have one for any path.
func (t *Table[E]) Methods(path urlpath.Path) (methods []string) {
	for name, m := range t.methods {
		if name == NotFound {
			continue
		}
		if e, _ := m.find(path); e != nil || path.Text == "*" {
			methods = append(methods, name)
		}
	}
	slices.Sort(methods)
	return methods
}

// find returns the entry for a path, with the value of a catch-all from its slash on.
func (m *method[E]) find(path urlpath.Path) (*Entry[E], httprouter.Params) {
	if e := m.static[path.Text]; e != nil {
		return e, nil
	}
	if path.Text == "" || path.Text[0] != '/' {
		return nil, nil
	}
	for _, tree := range m.trees {
		handle, params, _ := tree.Lookup(http.MethodGet, path.Text)
		if handle == nil {
			continue
		}
		handle(nil, nil, params)
		number, _ := strconv.Atoi(params[0].Key)
		e := m.entries[number]
		if e.Pattern.lacksValue(params, path.Held) {
			continue
		}
		if path.Held && !m.release(path, e, params) {
			return nil, nil
		}
		return e, params
	}
	return nil, nil
}

// release decodes the parameters of a path with encoded slashes. A catch-all is a path
// itself, so that they are slashes in it: it reports false if these lead to another
// entry than e, which may be there to guard a part of what e serves.
func (m *method[E]) release(path urlpath.Path, e *Entry[E], params httprouter.Params) bool {
	if last := len(params) - 1; e.Pattern.endsInCatchAll() {
		rest := params[last].Value
		if opened := urlpath.Open(rest); opened != rest {
			path.Text = strings.TrimSuffix(path.Text, rest) + opened
			if other, _ := m.find(path); other != e {
				return false
			}
		}
	}
	for i := range params {
		params[i].Value = urlpath.Decode(params[i].Value)
	}
	return true
}

// lacksValue reports a parameter that is empty, which httprouter lets pass inside a
// path, or that has a "." or ".." for a segment: joined to the name of a directory it
// must not lead out of it.
func (p *Pattern) lacksValue(params httprouter.Params, held bool) bool {
	if p.endsInCatchAll() {
		params = params[:len(params)-1]
	}
	for i := range params {
		v := params[i].Value
		if held {
			v = urlpath.Decode(v)
		}
		if v == "" || urlpath.HasDots(v) {
			return true
		}
	}
	return false
}
