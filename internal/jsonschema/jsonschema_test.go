package jsonschema

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type (
	Tree      []Tree
	Loop      *Loop
	MapOfMaps map[string]MapOfMaps
	Left      struct {
		*Right
		X int `json:"x"`
	}
	Right struct {
		*Left
		Y int `json:"y"`
	}
	Pair[A, B any] struct {
		A A `json:"a"`
		B B `json:"b,omitempty"`
	}
	texts struct {
		Time  time.Time       `json:"time"`
		Wait  time.Duration   `json:"wait"`
		Addr  netip.Addr      `json:"addr"`
		Big   *big.Int        `json:"big"`
		Raw   json.RawMessage `json:"raw"`
		Num   json.Number     `json:"num"`
		Small int8            `json:"small"`
		Bytes [2]byte         `json:"bytes"`
		In    struct {
			N *uint16 `json:"n"`
		} `json:"in"`
	}
)

func TestSchemas(t *testing.T) {
	written, accepted := Mode{Source: "json"}, Mode{Source: "json", Input: true}
	for _, tt := range []struct {
		v    any
		m    Mode
		want string
	}{
		{Tree{}, written, `{"items":{},"type":["array","null"]}`},
		{Loop(nil), written, `{}`},
		{MapOfMaps{}, accepted, `{"additionalProperties":{},"type":["object","null"]}`},
		{struct{ Pair[int, *string] }{}, written,
			`{"properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"],"type":"object"}`},
		{struct{ Left }{}, written, `{"properties":{"x":{"type":"integer"},"y":{"type":"integer"}},"required":["x"],"type":"object"}`},
		{struct{ Hidden string }{}, accepted, `{"properties":{},"type":"object"}`},
		{struct{ Hidden string }{}, Mode{Source: "json", Input: true, Untagged: true}, `{"properties":{"Hidden":{"type":"string"}},"type":"object"}`},
		{struct {
			V []byte `query:"v" validate:"len=4"`
		}{}, Mode{Source: "query", Input: true}, `{"properties":{"v":{"minLength":1,"type":"string"}},"required":["v"],"type":"object"}`},
		{struct {
			V int `json:"v" validate:"min=3"`
		}{}, Mode{Source: "json", Input: true, Unchecked: true}, `{"properties":{"v":{"type":"integer"}},"type":"object"}`},
	} {
		got, err := json.Marshal(New("#/x/").Of(reflect.TypeOf(tt.v), tt.m))
		if err != nil || string(got) != tt.want {
			t.Errorf("%T: %s, %v\nwant %s", tt.v, got, err, tt.want)
		}
	}
}

func TestDeclarations(t *testing.T) {
	g := New("#/components/schemas/")
	for _, typ := range []reflect.Type{
		reflect.TypeFor[texts](), reflect.TypeFor[Pair[texts, map[string][]Pair[int, string]]](), reflect.TypeFor[Tree](),
	} {
		g.Of(typ, Mode{Source: "json"})
	}
	want := strings.TrimLeft(`
export interface Texts {
  "time": string;
  "wait": number;
  "addr": string;
  "big": unknown;
  "raw": unknown;
  "num": number;
  "small": number;
  "bytes": Array<number>;
  "in": { "n": number | null };
}

export interface Pair_texts_map_string_Pair_int_string {
  "a": Texts;
  "b"?: Record<string, Array<Pair_int_string> | null>;
}

export interface Pair_int_string {
  "a": number;
  "b"?: string;
}
`, "\n")
	if got := strings.TrimLeft(g.Declarations(), "\n"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
