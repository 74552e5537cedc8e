package fields

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type (
	base struct {
		ID int `json:"id"`
	}
	outer struct {
		ID string `json:"id"`
		base
	}
	left struct {
		X int `json:"x"`
	}
	right struct {
		X string `json:"x"`
	}
	inLeft  struct{ left }
	inRight struct{ left }
	diamond struct {
		inLeft
		inRight
	}
	Loop struct {
		*Pool
		X int `json:"x"`
	}
	Pool struct {
		*Loop
		Y int `json:"y"`
	}
	untagged struct{ Name, Other string }
	promoted struct {
		untagged
		Title string `json:"Name"`
	}
	deepTag struct {
		Deep string `json:"Name"`
	}
	besides struct {
		untagged
		deepTag
	}
	dash struct {
		//lint:ignore SA5008 encoding/json takes the tag so
		A int `json:"-,"`
		B int `json:"-"`
		C int `json:",omitempty"`
		//lint:ignore SA5008 encoding/json takes the tag so
		D int `json:"a'b"`
		E int `json:"a-b"`
	}
	text      string
	Text      string
	nonStruct struct {
		text
		Text
	}
	namedBase struct {
		base `json:"base"`
		left `json:",omitempty"`
	}
	behind struct {
		*left
		*right `json:"-"`
	}
)

// two embeds two structs that have a field of one name each.
func two() any {
	type Left struct {
		X int `json:"x"`
	}
	type Right struct {
		X string `json:"x"`
	}
	embed := func(t reflect.Type) reflect.StructField {
		return reflect.StructField{Name: t.Name(), Type: t, Anonymous: true}
	}
	both := reflect.StructOf([]reflect.StructField{embed(reflect.TypeFor[Left]()), embed(reflect.TypeFor[Right]())})
	return reflect.Zero(both).Interface()
}

// Of finds the fields that encoding/json writes.
func TestFieldsAreThoseOfEncodingJSON(t *testing.T) {
	for _, v := range []any{
		outer{}, two(), diamond{}, promoted{}, besides{}, dash{C: 1}, nonStruct{text: "x"},
		behind{left: &left{}, right: &right{}}, Loop{Pool: &Pool{}}, struct{ outer }{}, struct {
			outer
			*base
		}{base: &base{}},
		// A name in JSON makes a field of what is embedded, even of an unexported struct.
		namedBase{},
	} {
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var written map[string]any
		json.Unmarshal(body, &written)
		want := slices.Sorted(maps.Keys(written))
		var got []string
		for _, f := range Of(reflect.TypeOf(v), "json") {
			got = append(got, f.Key)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%T: %q, encoding/json writes %q", v, got, want)
		}
	}
}

func TestFieldsOfOtherSources(t *testing.T) {
	type page struct {
		Page int `query:"page" json:"p"`
		Size int
	}
	type other struct {
		Page string `query:"page"`
	}
	for want, v := range map[string]any{
		"page": struct{ page }{},
		"page Q": struct {
			page
			Size int
			Q    string `query:",x"`
		}{},
		"": struct {
			page
			other
		}{},
		"f f": struct {
			A int `query:"f"`
			B int `query:"f"`
		}{},
		"-": struct {
			A int `query:"-,"`
		}{},
		"page ": struct {
			page `json:"-"`
		}{},
		" ": struct {
			page `json:"page"`
		}{},
	} {
		var got []string
		for _, f := range Of(reflect.TypeOf(v), "query") {
			got = append(got, f.Key)
		}
		if text := strings.Join(got, " "); text != strings.TrimSpace(want) {
			t.Errorf("%T: %q, want %q", v, text, want)
		}
	}
}

func TestAFieldBehindAPointerSaysSo(t *testing.T) {
	for _, f := range Of(reflect.TypeFor[Loop](), "json") {
		if f.Behind != (f.Key == "y") {
			t.Errorf("%s: %v", f.Key, f.Behind)
		}
	}
}
