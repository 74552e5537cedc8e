package repo

import (
	"go/ast"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

// The values in bold of docs/security.md are what the options of their rows start from.
func TestTheDefaultsOfTheSecurityPageAreThoseOfTheCode(t *testing.T) {
	packages := publicPackages(t)
	filled := map[string]reflect.Value{
		"websocket.Options": reflect.ValueOf(websocket.NewServer(websocket.Options{})).Elem().FieldByName("engine").FieldByName("opts"),
		"nextrush.Options":  reflect.ValueOf(nextrush.New()).Elem().FieldByName("opts"),
	}
	checked := 0
	for _, cells := range tableRows(read(t, "docs/security.md")) {
		value := bold.FindStringSubmatch(strings.Join(cells, " "))
		if value == nil {
			continue
		}
		options := optionName.FindAllStringSubmatch(cells[2], -1)
		if len(options) == 0 {
			t.Errorf("%s: %q is of no option", cells[0], value[1])
		}
		for _, o := range options {
			comment := fieldComment(packages, o[1], o[2], o[3])
			if comment == "" {
				t.Errorf("%s: there is no %s", cells[0], o[0])
				continue
			}
			checked++
			of, reflected := filled[o[1]+"."+o[2]]
			switch {
			case reflected && !isDefault(t, of.FieldByName(o[3]), value[1]):
				t.Errorf("%s: %s is %v by default, and not %s", cells[0], o[0], of.FieldByName(o[3]), value[1])
			case !reflected && !strings.Contains(comment, value[1]):
				t.Errorf("%s: the comment of %s does not say %s: %s", cells[0], o[0], value[1], comment)
			}
		}
	}
	if checked < 50 {
		t.Fatalf("checked only %d options", checked)
	}
}

var (
	bold       = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	optionName = regexp.MustCompile("`([a-z]+)\\.([A-Z][A-Za-z]+)\\.([A-Z][A-Za-z]+)`")
	units      = map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "s": int64(time.Second)}
)

// isDefault reports whether a field has the value that the page says.
func isDefault(t *testing.T, v reflect.Value, said string) bool {
	t.Helper()
	number, unit, hasUnit := strings.Cut(said, " ")
	if n, err := strconv.ParseInt(strings.ReplaceAll(number, ",", ""), 10, 64); err == nil {
		if hasUnit {
			n *= units[unit]
		}
		return v.Int() == n
	}
	switch said {
	case "no limit", "off", "on", "none", "nobody", "same origin", "CloseSlow": // zero, or the option turns it off
		return v.IsZero() || v.Kind() == reflect.Struct && v.Field(0).IsZero()
	}
	t.Errorf("what is %q?", said)
	return false
}

// fieldComment is the comment of a field, or "" if there is no such field.
func fieldComment(packages map[string][]sourceFile, pkg, typ, field string) (comment string) {
	for dir, files := range packages {
		if path.Base(dir) != pkg && (dir != "." || pkg != "nextrush") {
			continue
		}
		for _, f := range files {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok || spec.Name.Name != typ {
					return true
				}
				fields, ok := spec.Type.(*ast.StructType)
				if !ok {
					return false
				}
				for _, member := range fields.Fields.List {
					for _, name := range member.Names {
						if name.Name == field {
							comment = field + " " + strings.Join(strings.Fields(member.Doc.Text()+member.Comment.Text()), " ")
						}
					}
				}
				return false
			})
		}
	}
	return comment
}
