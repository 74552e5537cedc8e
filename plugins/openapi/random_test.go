package openapi

import (
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/jsonschema"
)

// chains are types, the rules that they may have in any order and number, and values.
var chains = []struct {
	types  []reflect.Type
	rules  string
	values string
}{
	{
		[]reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[*string](), reflect.TypeFor[**string]()},
		"required omitempty omitnil omitzero min=2 max=3 len=2 gt=1 lt=3 gte=1 lte=2 eq=2 ne=2 oneof=1_2 oneof='a_b'_ab alpha number len=2|eq=abcd",
		`"" "a" "ab" "a_b" "abcd" "2" "größe" 0 true [] {}`,
	},
	{
		[]reflect.Type{reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[*int](), reflect.TypeFor[int16]()},
		"required omitempty omitnil omitzero min=2 max=3 len=2 gt=1 lt=3 gte=1 lte=2 eq=2 ne=2 oneof=1_2 eq=2|eq=5",
		`0 1 2 3 5 -1 300 70000 1.5 "2" true`,
	},
	{
		[]reflect.Type{reflect.TypeFor[float64](), reflect.TypeFor[*float32]()},
		"required omitempty omitzero min=0.5 max=3 gt=1.5 lt=3 eq=2 ne=2",
		`0 0.25 0.5 1.5 2 3 -1 "2"`,
	},
	{
		[]reflect.Type{reflect.TypeFor[[]string](), reflect.TypeFor[*[]string](), reflect.TypeFor[[][]string](), reflect.TypeFor[map[string]string]()},
		"required omitempty omitnil omitzero min=2 max=3 len=2 gt=1 lt=3 ne=2 eq=2 dive dive",
		`null [] ["a"] ["ab","ab"] ["",""] ["a","b","c"] [["ab"]] [[]] [["a","b"],["ab","ab"]] {} {"a":"ab"} {"a":"","b":"b"} 1`,
	},
}

// Rules in any order mean the same in the document as to the server.
func TestTheDocumentTakesWhatTheServerTakesByAnyRules(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 0))
		chain := chains[r.IntN(len(chains))]
		all, rules := strings.Fields(chain.rules), []string{}
		for range r.IntN(4) {
			rules = append(rules, all[r.IntN(len(all))])
		}
		tag := strings.ReplaceAll(strings.Join(rules, ","), "_", " ")
		typ := reflect.StructOf([]reflect.StructField{{
			Name: "V", Type: chain.types[r.IntN(len(chain.types))], Tag: reflect.StructTag(`json:"v" validate:"` + tag + `"`),
		}})
		bodies := strings.ReplaceAll(strings.Join(values(strings.Fields(chain.values)...), "\n"), "_", " ")
		agreeOn(t, typ, strings.Split(bodies, "\n"))
	}
}

func agreeOn(t *testing.T, typ reflect.Type, bodies []string) {
	t.Helper()
	g := jsonschema.New("#/$defs/")
	text, err := json.Marshal(g.Of(typ, accepted("json")))
	if err != nil {
		t.Fatal(err)
	}
	schema := compileText(t, text, "")
	app := nextrush.New(nextrush.Options{ErrorHandler: func(c *nextrush.Context, err error) {
		c.Status(nextrush.StatusOf(err))
		_ = c.NoContent()
	}})
	app.Post("/", func(c *nextrush.Context) error { return c.Bind(reflect.New(typ).Interface()) })
	for _, body := range bodies {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code == 500 {
			continue // a rule that is not for the type, such as dive for a string
		}
		if err := schema.Validate(decoded(t, body)); (err == nil) != (w.Code == 200) {
			t.Errorf("%s: %s is answered %d by %s", typ, body, w.Code, text)
		}
	}
}
