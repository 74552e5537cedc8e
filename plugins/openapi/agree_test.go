package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/websocket"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

type (
	sub struct {
		X int `json:"x" validate:"max=9"`
	}
	place struct {
		Zip string `json:"zip" validate:"required,len=5"`
	}
	Embedded struct {
		ID int `json:"id" validate:"required"`
	}
	Left struct {
		*Right
		X int `json:"x"`
	}
	Right struct {
		*Left
		Y int `json:"y" validate:"required"`
	}
	color string
)

func (c *color) UnmarshalText(text []byte) error {
	*c = color(text)
	if *c != "red" {
		return fmt.Errorf("no color")
	}
	return nil
}

// agree checks for each body that the document allows it if the server does.
func agree[In any](t *testing.T, bodies ...string) {
	t.Helper()
	app := nextrush.New()
	p := New()
	app.Register(p)
	app.Post("/in", nextrush.Handle(func(*nextrush.Context, In) (struct{}, error) { return struct{}{}, nil }))
	schema := compile(t, p, "/paths/~1in/post/requestBody/content/application~1json/schema")
	c := nextrushtest.New(t, app)
	for _, body := range bodies {
		status := c.Post("/in", json.RawMessage(body)).StatusCode
		err := schema.Validate(decoded(t, body))
		if (err == nil) != (status == 204) {
			t.Errorf("%T: %s is answered %d, the document says %v", *new(In), body, status, err)
		}
	}
}

func compile(t *testing.T, p interface{ JSON() ([]byte, error) }, at string) *jsonschema.Schema {
	t.Helper()
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return compileText(t, text, at)
}

func compileText(t *testing.T, text []byte, at string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if bytes.Contains(text, []byte(`"asyncapi"`)) {
		c.DefaultDraft(jsonschema.Draft7)
	}
	if err := c.AddResource("doc.json", decoded(t, string(text))); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("doc.json#" + at)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return s
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// values are bodies with one member, v.
func values(list ...string) (bodies []string) {
	for _, v := range list {
		bodies = append(bodies, `{"v":`+v+`}`)
	}
	return append(bodies, "{}")
}

func TestTheDocumentTakesWhatTheServerTakes(t *testing.T) {
	texts := values(`""`, `"a"`, `"ab"`, `"red"`, `"red green"`, `"abcd"`, `"größe"`, `"a,b"`, `"a@b.example"`, `"2026-11-28"`, `1`, `[]`)
	numbers := values(`0`, `1`, `5`, `-1`, `10`, `300`, `1450`, `1.5`, `"5"`, `true`)
	lists := values(`null`, `[]`, `["a"]`, `["ab","ab"]`, `["a","b","c"]`, `[""]`, `[1]`, `"a"`)
	agree[struct {
		V string `json:"v"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"required"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"min=2"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"omitempty,min=2"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"omitempty,gt=2,lt=5"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"len=2"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"email"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"omitempty,email"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"oneof='red green' a"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"omitempty,oneof='red green' a"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"oneof=a0x2Cb ab"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"oneof=red ab|email"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"omitempty,eq=a|len=4"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"ne=a,alpha"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"datetime=2006-01-02"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"startswith=a,endswith=b"`
	}](t, texts...)
	agree[struct {
		V string `json:"v" validate:"min=1,min=2,max=4,max=9"`
	}](t, texts...)
	agree[struct {
		V *string `json:"v" validate:"omitempty,min=2"`
	}](t, append(texts, `{"v":null}`)...)
	agree[struct {
		V *string `json:"v" validate:"required,oneof=a ab"`
	}](t, append(texts, `{"v":null}`)...)
	agree[struct {
		V *string `json:"v" validate:"max=2"`
	}](t, append(texts, `{"v":null}`)...)
	agree[struct {
		V *string `json:"v" validate:"omitnil,oneof=a ab"`
	}](t, append(texts, `{"v":null}`)...)
	agree[struct {
		V color `json:"v"`
	}](t, values(`"red"`, `1`, `[]`)...)
	agree[struct {
		V time.Time `json:"v"`
	}](t, values(`"2026-11-28T10:30:00Z"`, `"x"`, `1`)...)

	agree[struct {
		V int `json:"v"`
	}](t, values(`0`, `-1`, `1.5`, `"5"`, `true`)...)
	agree[struct {
		V int8 `json:"v"`
	}](t, numbers...)
	agree[struct {
		V uint8 `json:"v" validate:"min=1"`
	}](t, numbers...)
	agree[struct {
		V int `json:"v" validate:"gte=1450"`
	}](t, numbers...)
	agree[struct {
		V int `json:"v" validate:"omitempty,gt=4"`
	}](t, numbers...)
	agree[struct {
		V int `json:"v" validate:"required"`
	}](t, numbers...)
	agree[struct {
		V uint `json:"v" validate:"required"`
	}](t, numbers...)
	agree[struct {
		V int `json:"v" validate:"oneof=1 5"`
	}](t, numbers...)
	agree[struct {
		V int `json:"v" validate:"omitempty,oneof=1 5"`
	}](t, numbers...)
	agree[struct {
		V int `json:"v" validate:"max=10,ne=5"`
	}](t, numbers...)
	agree[struct {
		V float64 `json:"v" validate:"gt=-1,lt=1450"`
	}](t, numbers...)
	agree[struct {
		V *int `json:"v"`
	}](t, append(numbers, `{"v":null}`)...)
	agree[struct {
		V *int `json:"v" validate:"min=1"`
	}](t, append(numbers, `{"v":null}`)...)
	agree[struct {
		V *int `json:"v" validate:"omitempty,min=1"`
	}](t, append(numbers, `{"v":null}`)...)
	agree[struct {
		V bool `json:"v" validate:"required"`
	}](t, values(`true`, `false`, `1`)...)
	agree[struct {
		V time.Duration `json:"v" validate:"min=1us"`
	}](t, values(`0`, `999`, `1000`, `"1s"`)...)
	agree[struct {
		V int64 `json:"v,string"`
	}](t, numbers...)
	agree[struct {
		V float64 `json:"v,string"`
	}](t, numbers...)
	agree[struct {
		V bool `json:"v,string"`
	}](t, values(`true`, `"true"`, `"x"`)...)

	agree[struct {
		V []string `json:"v"`
	}](t, lists...)
	agree[struct {
		V []string `json:"v" validate:"required"`
	}](t, lists...)
	agree[struct {
		V []string `json:"v" validate:"min=1,max=2"`
	}](t, lists...)
	agree[struct {
		V []string `json:"v" validate:"omitempty,min=1,unique"`
	}](t, lists...)
	agree[struct {
		V []string `json:"v" validate:"dive,min=1"`
	}](t, lists...)
	agree[struct {
		V []string `json:"v" validate:"max=2,dive,required,oneof=a ab"`
	}](t, lists...)
	agree[struct {
		V [2]string `json:"v"`
	}](t, values(`[]`, `["a"]`, `["a","b","c"]`, `{}`)...)
	agree[struct {
		V []byte `json:"v" validate:"max=3"`
	}](t, values(`null`, `"YWJj"`, `"YWJjZA=="`, `1`)...)
	agree[struct {
		V [][]string `json:"v" validate:"omitempty,dive,dive,min=2"`
	}](t, values(`null`, `[["ab"]]`, `[["a"]]`, `[null]`, `[]`)...)
	agree[struct {
		V []*int `json:"v" validate:"dive,required"`
	}](t, values(`[null]`, `[1]`, `null`)...)
	agree[struct {
		V map[string]int `json:"v" validate:"max=1,dive,keys,min=2,endkeys,max=5"`
	}](t,
		values(`null`, `{}`, `{"ab":1}`, `{"a":1}`, `{"ab":9}`, `{"ab":1,"cd":1}`)...)
	agree[struct {
		V any `json:"v"`
	}](t, values(`null`, `1`, `"a"`, `{}`)...)

	agree[struct {
		V sub `json:"v" doc:"described here"`
	}](t, values(`{}`, `{"x":9}`, `{"x":10}`, `1`)...)
	agree[struct {
		V place `json:"v"`
	}](t, values(`{}`, `{"zip":"1"}`, `{"zip":"12345"}`)...)
	agree[struct {
		V *place `json:"v"`
	}](t, values(`{}`, `null`, `{"zip":"12345"}`)...)
	agree[struct {
		V place `json:"v" validate:"-"`
	}](t, values(`{}`, `{"zip":"1"}`)...)
	agree[struct {
		V sub `json:"v" validate:"required"`
	}](t, values(`{}`, `{"x":1}`)...)
	agree[struct {
		V []place `json:"v"`
	}](t, values(`[{}]`, `[{"zip":"12345"}]`)...)
	agree[struct {
		V []place `json:"v" validate:"dive"`
	}](t, values(`[{}]`, `[{"zip":"12345"}]`)...)
	agree[struct {
		V map[string]place `json:"v" validate:"dive"`
	}](t, values(`{"a":{}}`, `{"a":{"zip":"12345"}}`)...)
	agree[struct{ Embedded }](t, `{}`, `{"id":1}`, `{"id":0}`)
	agree[struct {
		ID string `json:"id"`
		Embedded2
	}](t, `{}`, `{"id":"a"}`, `{"id":1}`)
	agree[Left](t, `{}`, `{"x":1}`, `{"y":1}`, `{"x":"a"}`)
	agree[struct {
		//lint:ignore SA5008 encoding/json takes the tag so
		V int `json:"-,"`
	}](t, `{"-":1}`, `{"-":"a"}`)
	agree[[]place](t, `[]`, `null`, `[{}]`, `[{"zip":"12345"}]`)
	agree[map[string]place](t, `{}`, `{"a":{}}`, `{"a":1}`)
	agree[[]int](t, `[1]`, `["a"]`, `null`)
	agree[struct {
		A string `json:"a" validate:"required_without=B"`
		B string `json:"b"`
	}](t, `{"a":"x"}`, `{"b":"x"}`)
}

func TestTheDocumentOfEventsTakesWhatTheServerTakes(t *testing.T) {
	type in struct {
		Name  string  `json:"name" validate:"required,max=3"`
		Mood  string  `json:"mood" validate:"omitempty,oneof='so so' sad"`
		Year  int     `json:"year" validate:"gte=1450"`
		Next  *in     `json:"next" validate:"omitempty"`
		Items []place `json:"items"`
		Free  string
	}
	call := asyncapi.Call[in, Box]{Name: "e/v"}
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/s", func(s *websocket.Socket, _ *nextrush.Context) error {
		call.Handle(s, func(context.Context, *websocket.Socket, in) (Box, error) { return Box{}, nil })
		return nil
	})
	p := asyncapi.New(asyncapi.Options{}, asyncapi.Channel{Path: "/s", Receives: []asyncapi.Message{call}})
	app.Register(p)
	const messages = "/channels/channel1/messages/receive.e~1v"
	event, reply := compile(t, p, messages+"/payload"), compile(t, p, messages+".reply/payload")
	s := nextrushtest.New(t, app).Dial("/s")
	for _, data := range []string{
		`{"name":"a","year":1450}`, `{"name":"","year":1450}`, `{"name":"a"}`, `{"name":"abcd","year":1450}`, `{}`, `1`,
		`{"name":"a","year":1450,"mood":"so so"}`, `{"name":"a","year":1450,"mood":"so"}`, `{"name":"a","year":1450,"mood":""}`,
		`{"name":"a","year":1450,"next":null}`, `{"name":"a","year":1450,"next":{}}`, `{"name":"a","year":1450,"items":[{}]}`,
		`{"name":"a","year":1450,"items":null}`, `{"name":"a","year":1450,"Free":1}`,
	} {
		body := `{"type":"event","event":"e/v","id":1,"data":[` + data + `]}`
		s.Send(body)
		answer := s.Next().Text()
		taken := strings.Contains(answer, `"type":"ack"`)
		if err := event.Validate(decoded(t, body)); (err == nil) != taken {
			t.Errorf("%s is answered %s, the document says %v", body, answer, err)
		}
		if err := reply.Validate(decoded(t, answer)); taken && err != nil {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
