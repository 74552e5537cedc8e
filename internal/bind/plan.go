package bind

import (
	"fmt"
	"mime/multipart"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/nextrush/nextrush/internal/fields"
)

// Plan is what there is to know of a type before it is filled.
type Plan struct {
	Sources Source // that fields have tags of
	Whole   bool   // not a struct: a body fills all of it

	of       reflect.Type
	untagged Source  // JSON and XML, if fields are to be held out of their decoder
	fields   []field // those whose source is neither of the two
}

type field struct {
	source Source
	name   string
	index  []int
	kind   reflect.Type
	file   bool
	nested bool // filled by names with brackets
	blank  bool // an empty text is a value
}

var plans sync.Map // reflect.Type to *Plan

// PlanOf returns the plan of a type. It panics if no request could fill the type, and
// names the fix.
func PlanOf(t reflect.Type) *Plan {
	if p, ok := plans.Load(t); ok {
		return p.(*Plan)
	}
	mustFit(t)
	p := &Plan{Whole: t.Kind() != reflect.Struct, of: t}
	if !p.Whole {
		for _, f := range reflect.VisibleFields(t) {
			mustHaveSource(f)
		}
		for i, tag := range fields.Sources {
			for _, f := range fields.Of(t, tag) {
				if f.Tagged {
					p.add(1<<i, f)
				}
			}
		}
	}
	for _, s := range []Source{JSON, XML} {
		if hasUntagged(t, s.Tag()) {
			p.untagged |= s
		}
	}
	plans.Store(t, p)
	return p
}

// MustHaveTags panics if the type is a struct whose fields name no source.
func (p *Plan) MustHaveTags() {
	if !p.Whole && p.of.NumField() > 0 && p.Sources == 0 {
		panic(fmt.Sprintf("nextrush: Bind into %s: no field has a tag that says where it comes from, as json:\"name\" does", p.of))
	}
}

func (p *Plan) add(s Source, f fields.Field) {
	p.Sources |= s
	if s == JSON || s == XML {
		return
	}
	mustNotOrder(s, f)
	file := s == Form && (f.Type == fileType || f.Type.Kind() == reflect.Slice && f.Type.Elem() == fileType)
	nested := !file && s&(Form|Query) != 0 && !takesText(itemOf(f.Type))
	switch {
	case nested:
		mustNest(s, f)
	case !file:
		mustTakeText(s, f)
	}
	p.fields = append(p.fields, field{s, f.Key, f.Index, f.Type, file, nested, isText(itemOf(f.Type))})
}

// Indexes returns the fields of a source that take a text, by their names outside.
func (p *Plan) Indexes(s Source) map[string][]int {
	all := map[string][]int{}
	for _, f := range p.fields {
		if f.source == s {
			all[f.name] = f.index
		}
	}
	return all
}

// in is the field's place in a struct; embedded pointers on the way are made.
func (f *field) in(v reflect.Value) reflect.Value {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// sent leaves out the blank values if those do not count.
func (f *field) sent(values []string) []string {
	if f.source == Header && isList(f.kind) {
		values = listItems(values)
	}
	if f.blank {
		return values
	}
	return notBlank(values)
}

// listItems are those of a list in a header, whether it comes in one line or in several.
// Empty ones do not count, and a comma in quotes ends none (RFC 9110 §5.3, §5.6.1).
func listItems(lines []string) (items []string) {
	for _, line := range lines {
		start, quoted := 0, false
		for i := 0; i <= len(line); i++ {
			if i < len(line) && (line[i] != ',' || quoted) {
				quoted = quoted != (line[i] == '"')
				continue
			}
			if item := strings.Trim(line[start:i], " \t"); item != "" {
				items = append(items, item)
			}
			start = i + 1
		}
	}
	return items
}

var fileType = reflect.TypeFor[*multipart.FileHeader]()

func setFiles(v reflect.Value, files []*multipart.FileHeader) {
	switch {
	case len(files) == 0:
	case v.Kind() == reflect.Slice:
		v.Set(reflect.ValueOf(files))
	default:
		v.Set(reflect.ValueOf(files[0]))
	}
}

// CheckParams returns an error if a route, whose name its text goes on from, has a
// parameter that the struct binds under another name. A field may be for another route,
// if all that this one has are bound.
func CheckParams(t reflect.Type, names []string) error {
	bound := PlanOf(t).Indexes(Path)
	for _, free := range names {
		if bound[free] != nil {
			continue
		}
		for name, index := range bound {
			if !slices.Contains(names, name) {
				return fmt.Errorf("has no parameter %q, which the field %s binds: correct one of the two, or bind :%s",
					name, t.FieldByIndex(index).Name, free)
			}
		}
	}
	return nil
}
