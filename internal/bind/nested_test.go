package bind

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

type line struct {
	Name  string    `form:"name"`
	Count *int      `form:"count"`
	Tags  []string  `form:"tags"`
	Since time.Time `form:"since"`
	Price int
}

type place struct {
	Zip  string `form:"zip" query:"zip"`
	City string `form:"city" query:"city"`
}

type order struct {
	Home    place             `form:"home" query:"home"`
	Work    *place            `form:"work"`
	Lines   []line            `form:"lines"`
	Some    []*place          `form:"some"`
	Numbers []int             `form:"numbers"`
	Table   [][]int           `form:"table"`
	Meta    map[string]string `form:"meta"`
	Places  map[string]place  `form:"places"`
	Note    string            `form:"note"`
	Next    *order            `form:"next"`
}

// sent is a form from "name=value" pairs.
func sent(pairs ...string) map[string][]string {
	all := map[string][]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		all[name] = append(all[name], value)
	}
	return all
}

func nested(v any, pairs ...string) []mismatch {
	values := sent(pairs...)
	t := Into(v)
	wrong := t.texts(Form, from(values))
	return append(wrong, t.nest(Form, values)...)
}

func TestNamesWithBracketsLeadInto(t *testing.T) {
	seven := 7
	for _, tt := range []struct {
		pairs []string
		want  order
	}{
		{[]string{"home[zip]=1", "home[city]=Rome", "note=x"}, order{Home: place{"1", "Rome"}, Note: "x"}},
		{[]string{"work[zip]=1"}, order{Work: &place{"1", ""}}},
		{[]string{"lines[0][name]=pen", "lines[0][count]=7", "lines[1][name]=ink", "lines[1][count]="},
			order{Lines: []line{{Name: "pen", Count: &seven}, {Name: "ink"}}}},
		{[]string{"lines[0][tags]=a", "lines[0][tags]=b", "lines[0][tags][]=c", "lines[0][tags][0]=d", "lines[0][since]=2026-01-02"},
			order{Lines: []line{{Tags: []string{"a", "b", "c", "d"}, Since: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}}}},
		{[]string{"lines[10][name]=c", "lines[9][name]=b", "lines[2][name]=a", "lines[999999999][name]=d"},
			order{Lines: []line{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}}},
		{[]string{"some[1][zip]=1"}, order{Some: []*place{{"1", ""}}}},
		{[]string{"numbers[]=1", "numbers[]=2", "numbers[]="}, order{Numbers: []int{1, 2}}},
		{[]string{"numbers[1]=2", "numbers[0]=1", "numbers=0"}, order{Numbers: []int{0, 1, 2}}},
		{[]string{"table[0][]=1", "table[0][]=2", "table[1][0]=3"}, order{Table: [][]int{{1, 2}, {3}}}},
		{[]string{"meta[color]=red", "meta[]=none", "meta[a b]=c"}, order{Meta: map[string]string{"color": "red", "": "none", "a b": "c"}}},
		{[]string{"places[x][zip]=1"}, order{Places: map[string]place{"x": {"1", ""}}}},
		{[]string{"next[next][home][zip]=1"}, order{Next: &order{Next: &order{Home: place{"1", ""}}}}},
		{[]string{"home=x", "home[=x", "home[zip=x", "home[nope]=x", "home[zip][deeper]=x", "nope[a]=x", "note[a]=x", "lines[0][Price]=9", "lines[0][price]=9", "lines=x", "lines[]=x", "table[]=1"},
			order{Lines: []line{{}}}},
	} {
		var got order
		if wrong := nested(&got, tt.pairs...); wrong != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q:\n got %+v %v\nwant %+v", tt.pairs, got, wrong, tt.want)
		}
	}
}

func TestWhatIsWrongInBracketsIsNamed(t *testing.T) {
	deep := "next" + strings.Repeat("[next]", maxDepth) + "[note]=x"
	for pair, want := range map[string]mismatch{
		"lines[3][count]=x":                  {"lines[0].count", "an integer"},
		"numbers[]=x":                        {"numbers[0]", "an integer"},
		"lines[a][name]=x":                   {"lines", "a list"},
		"lines[-1][name]=x":                  {"lines", "a list"},
		"lines[99999999999999999999][name]=": {"lines", "a list"},
		"lines[][name]=x":                    {"lines", "a list with numbers in its brackets"},
		"table[0][0]=x":                      {"table[0][0]", "an integer"},
		deep:                                 {"next", "nested less deeply"},
	} {
		var got order
		if wrong := nested(&got, pair); len(wrong) != 1 || wrong[0] != want {
			t.Errorf("%.40s: %v, want %v", pair, wrong, want)
		}
	}
}

func TestQueriesHaveBracketsAndOthersDoNot(t *testing.T) {
	var got order
	Into(&got).nest(Query, sent("home[zip]=1", "work[zip]=2"))
	if got.Home.Zip != "1" || got.Work != nil {
		t.Errorf("%+v", got)
	}
	for _, v := range []any{
		new(struct {
			A place `header:"a"`
		}),
		new(struct {
			A struct{ B int } `form:"a"`
		}),
		new(struct {
			A map[int]string `form:"a"`
		}),
		new(struct {
			A []struct {
				B chan int `form:"b"`
			} `form:"a"`
		}),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T is taken", v)
				}
			}()
			Into(v)
		}()
	}
}

// What a name asks for beyond what the type has is not kept, and an index is no size.
func TestBracketsCostWhatTheySend(t *testing.T) {
	values := map[string][]string{}
	for i := range 5000 {
		values[fmt.Sprintf("lines[%d][nope]%s", 999_999_999-i, strings.Repeat("[x]", 15))] = []string{"x"}
		values[fmt.Sprintf("home%s", strings.Repeat(fmt.Sprintf("[%d]", i), 10))] = []string{"x"}
	}
	var got order
	allocs := testing.AllocsPerRun(1, func() {
		got = order{}
		Into(&got).nest(Form, values)
	})
	if len(got.Lines) != 5000 || got.Home != (place{}) {
		t.Errorf("%d lines, %+v", len(got.Lines), got.Home)
	}
	if allocs > 20*10_000 {
		t.Errorf("%.0f allocations for 10,000 names", allocs)
	}
}

func FuzzNested(f *testing.F) {
	for _, name := range []string{"lines[0][name]", "meta[a]", "home[zip]", "numbers[]", "lines[][", "[]", "a]b[", "next[next][table][0][1]"} {
		f.Add(name, name, "1")
	}
	f.Fuzz(func(t *testing.T, one, other, value string) {
		var got order
		wrong := Into(&got).nest(Form, map[string][]string{one: {value}, other: {value, value}})
		if len(wrong) > 3 || len(got.Lines) > 2 || len(got.Numbers) > 4 || len(got.Meta) > 2 {
			t.Errorf("%q, %q: %+v %v", one, other, got, wrong)
		}
	})
}
