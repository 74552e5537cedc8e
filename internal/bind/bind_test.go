package bind

import (
	"mime/multipart"
	"reflect"
	"strings"
	"testing"
	"time"
)

type search struct {
	Text  string        `query:"q"`
	Page  int           `query:"page"`
	Tags  []string      `query:"tag"`
	Wait  time.Duration `query:"wait"`
	Since *time.Time    `query:"since"`
	Agent string        `header:"User-Agent"`
	Own   string
}

func from(values map[string][]string) func(string) []string {
	return func(name string) []string { return values[name] }
}

func TestTextsFillTheFieldsOfOneSource(t *testing.T) {
	got := search{Own: "kept", Page: 7}
	wrong := Into(&got).texts(Query, from(map[string][]string{
		"q": {"a", "b"}, "page": {""}, "tag": {"x", "y"}, "wait": {"2s"}, "since": {"2026-01-02"},
		"User-Agent": {"not of the query"}, "Own": {"not bound"},
	}))
	since := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	want := search{Text: "a", Page: 7, Tags: []string{"x", "y"}, Wait: 2 * time.Second, Since: &since, Own: "kept"}
	if wrong != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, wrong)
	}
}

func TestTextsNameAllThatDoesNotFit(t *testing.T) {
	var got search
	wrong := Into(&got).texts(Query, from(map[string][]string{"page": {"x"}, "wait": {"2"}, "since": {"now"}, "q": {"a"}}))
	want := []mismatch{{"page", "an integer"}, {"wait", "a duration"}, {"since", "a time"}}
	if !reflect.DeepEqual(wrong, want) || got.Text != "a" {
		t.Errorf("%v %+v", wrong, got)
	}
}

func TestFilesFillTheirFields(t *testing.T) {
	var got struct {
		One  *multipart.FileHeader   `form:"one"`
		All  []*multipart.FileHeader `form:"all"`
		None *multipart.FileHeader   `form:"none"`
	}
	a, b := &multipart.FileHeader{Filename: "a"}, &multipart.FileHeader{Filename: "b"}
	Into(&got).Files(map[string][]*multipart.FileHeader{"one": {a, b}, "all": {a, b}})
	if got.One != a || len(got.All) != 2 || got.None != nil {
		t.Errorf("%+v", got)
	}
}

func TestDecodersLeaveFieldsWithoutATag(t *testing.T) {
	type account struct {
		XMLName struct{} `json:"-" xml:"account"`
		Name    string   `json:"name" xml:"name"`
		Admin   bool
	}
	got := account{Admin: false}
	if wrong, err := Into(&got).decodeJSON([]byte(`{"name":"a","Admin":true}`)); wrong != nil || err != nil || got.Name != "a" || got.Admin {
		t.Errorf("JSON: %+v %v %v", got, wrong, err)
	}
	if err := Into(&got).decodeXML([]byte(`<account><name>b</name><Admin>true</Admin></account>`)); err != nil || got.Name != "b" || got.Admin {
		t.Errorf("XML: %+v %v", got, err)
	}
	if err := Into(&got).decodeXML([]byte(`<account/><account/>`)); err == nil {
		t.Error("two documents")
	}
	wrong, err := Into(&got).decodeJSON([]byte(`{"name":1}`))
	if err == nil || wrong == nil || *wrong != (mismatch{"name", "a string"}) {
		t.Errorf("%v %v", wrong, err)
	}
}

func TestPlansNameMistakes(t *testing.T) {
	for want, v := range map[string]any{
		"give a pointer": search{},
		"takes no text": new(struct {
			A chan int `query:"a"`
		}),
		`write path:"id"`: new(struct {
			A int `uri:"id"`
		}),
		`write header:"X-A"`: new(struct {
			A string `reqHeader:"X-A"`
		}),
		`write validate:"required"`: new(struct {
			A string `query:"a,required"`
		}),
		"set the field before Bind": new(struct {
			A int `form:"page,default=1"`
		}),
		"set the field before": new(struct {
			A int `query:"page,default:1"`
		}),
		"no field has a tag": new(struct{ A int }),
		"JSON cannot hold": new(struct {
			A func() `json:"a"`
		}),
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("panic %q, want %q", text, want)
				}
			}()
			Into(v).MustHaveTags()
		}()
	}
}
