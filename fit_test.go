package nextrush

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
)

type hiddenBase struct {
	Name string `json:"name"`
}

type nestedForeign struct {
	Items []struct {
		Name string `json:"name" binding:"required"`
	} `json:"items"`
}

// handler makes a handler that takes a T.
func handler[T any]() Handler {
	return Handle(func(*Context, T) (struct{}, error) { return struct{}{}, nil })
}

func TestWhatNoRequestCouldFillIsRefusedAtOnce(t *testing.T) {
	for want, make := range map[string]func() Handler{
		"M takes no text": handler[struct {
			M map[string]string `header:"m"`
		}],
		"A takes no text": handler[struct {
			A [2]int `header:"a"`
		}],
		"S takes no text": handler[struct {
			S *struct{ X int } `header:"s"`
		}],
		"L takes no text": handler[struct {
			L [][]string `header:"l"`
		}],
		"F takes no text": handler[struct {
			F func() `form:"f"`
		}],
		"C takes no text": handler[struct {
			C chan int `path:"c"`
		}],
		"X takes no text": handler[struct {
			X complex64 `cookie:"x"`
		}],
		"E takes no text": handler[struct {
			E error `query:"e"`
		}],
		"the embedded pointer to hiddenBase cannot be set": handler[struct{ *hiddenBase }],
		"pointer to hiddenBase cannot": handler[struct {
			L []struct{ *hiddenBase } `json:"l"`
		}],
		`Name has the tag binding:"required": write validate:"required"`: handler[nestedForeign],
		`Mail has the tag valid:"email": write validate:"email"`: handler[struct {
			Mail string `json:"mail" valid:"email"`
		}],
		"J is a chan int, which JSON cannot hold": handler[struct {
			J chan int `json:"j"`
		}],
		"the field F of Out is a func(), which JSON cannot hold": func() Handler {
			return Handle(func(*Context, struct{}) (out struct{ In []struct{ F func() } }, err error) { return out, nil })
		},
	} {
		if got := panicOf(func() { make() }); !strings.Contains(got, want) {
			t.Errorf("panic %q, want %q", got, want)
		}
	}
}

func panicOf(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}

func TestWhatCanBeFilledIsTaken(t *testing.T) {
	type Loop struct {
		*Loop
		Pointer *Loop    `json:"pointer"`
		Name    string   `json:"name" binding:"required" validate:"required"`
		Skipped chan int `json:"-" binding:"-"`
		Any     any      `query:"any"`
	}
	handler[Loop]()
	handler[[]Loop]()
	handler[map[string]any]()
}

func TestPointersToListsBind(t *testing.T) {
	type in struct {
		Tags  *[]string `query:"tags"`
		IDs   *[]*int   `query:"ids"`
		Bytes *[]byte   `query:"bytes"`
	}
	got, w := bindAs(t, in{}, "/1?tags=a&tags=b&ids=1&ids=2&bytes=xy", "", "")
	if w.Code != 204 || got.Tags == nil || strings.Join(*got.Tags, " ") != "a b" || len(*got.IDs) != 2 || *(*got.IDs)[1] != 2 || string(*got.Bytes) != "xy" {
		t.Errorf("%d %s: %+v", w.Code, w.Body, got)
	}
}

// The shallowest field of a name is filled, as encoding/json fills it.
func TestAFieldHidesThoseOfItsNameInEmbeddedStructs(t *testing.T) {
	type Inner struct {
		ID int `query:"id" json:"id"`
		//lint:ignore SA5008 encoding/json takes the tag so
		Dash string `json:"-,"`
	}
	type in struct {
		ID string `query:"id" json:"id"`
		Inner
	}
	got, w := bindAs(t, in{}, "/1?id=a", jsonBody, `{"id":"b","-":"c"}`)
	if w.Code != 204 || got.ID != "a" || got.Inner.ID != 0 || got.Dash != "c" {
		t.Errorf("%d %s: %+v", w.Code, w.Body, got)
	}
}

func TestAFieldWithTheNameDashIsCalledSo(t *testing.T) {
	_, w := bindAs(t, struct {
		//lint:ignore SA5008 encoding/json takes the tag so
		A int `json:"-," validate:"min=1"`
	}{}, "/1", jsonBody, `{}`)
	if w.Code != 422 || !strings.Contains(w.Body.String(), `"field":"-"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAnInputBindsParametersOfItsRoute(t *testing.T) {
	type in struct {
		ID int `path:"idd"`
	}
	want := `GET /users/:id has no parameter "idd", which the field ID binds: correct one of the two, or bind :id`
	if got := panicOf(func() { New().Get("/users/:id", handler[in]()) }); !strings.Contains(got, want) {
		t.Errorf("panic %q", got)
	}
	New().Post("/users", handler[in]())
	New().Group("/users/:idd").Get("/*rest", handler[in]())
}

func TestRulesThatFitNoValueAreRefused(t *testing.T) {
	for want, h := range map[string]Handler{
		`the rule "requird" of the field Name is not known`: handler[struct {
			Name string `json:"name" validate:"requird,max=3"`
		}](),
		`the rule "oneof=1 2" of the field F is not for float64`: handler[struct {
			F float64 `json:"f" validate:"omitempty,oneof=1 2"`
		}](),
		`the rule "max=3" of the field B is not for bool`: handler[struct {
			B *bool `json:"b" validate:"omitempty,max=3"`
		}](),
		`the rule "min=abc" of the field N is not for int`: handler[struct {
			N int `json:"n" validate:"min=abc"`
		}](),
		`the rule "min=1" of the field S is not for nextrush.hiddenBase`: handler[struct {
			S []hiddenBase `json:"s" validate:"dive,min=1"`
		}](),
		`the rule "dive" of the field S is not for string`: handler[struct {
			S string `json:"s" validate:"dive,min=1"`
		}](),
		`the rule "nope" of the field Deep is not known`: handler[struct {
			L []struct {
				Deep []string `json:"deep" validate:"dive,alpha|nope"`
			} `json:"l"`
		}](),
	} {
		got := panicOf(func() { New().Post("/", h) })
		if !strings.Contains(got, want) || !strings.HasPrefix(got, "nextrush: POST /: ") {
			t.Errorf("panic %q, want %q", got, want)
		}
	}
}

func TestRulesOfTheAppsOwnAreKnown(t *testing.T) {
	type in struct {
		Name string           `json:"name" validate:"required,even"`
		V    any              `json:"v" validate:"omitempty,min=1"`
		A    *int             `json:"a" validate:"excluded_if=B 1,max=3"`
		B    int              `json:"b" validate:"required_with=A,ltefield=C"`
		C    int              `json:"c" validate:"iscolor|gte=0"`
		M    map[string][]int `json:"m" validate:"dive,keys,alpha,endkeys,unique,dive,lt=3"`
	}
	rules := NewValidator()
	rules.RegisterValidation("even", func(validator.FieldLevel) bool { panic("a rule has run at set-up") })
	New(Options{Validator: rules}).Post("/", handler[in]())
}

// A rule that panics for a value is a failure of the program, which the log can find.
func TestARuleThatPanicsForAValueIsNamed(t *testing.T) {
	type inner struct {
		V any `json:"v" validate:"omitempty,min=1"`
	}
	type in struct {
		L []inner `json:"l" validate:"dive"`
		A *int    `json:"a" validate:"excluded_if=B nil,max=3"`
		B *int    `json:"b"`
	}
	for body, want := range map[string]string{
		`{"a":1,"l":[{"v":1},{"v":true}]}`: "L[1].V",
		`{}`:                               "the field A",
		`{"a":9}`:                          "",
	} {
		var log bytes.Buffer
		app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		app.Post("/", handler[in]())
		w := do(t, app, "POST", "/", body, "Content-Type", jsonBody)
		if status := map[bool]int{true: 422, false: 500}[want == ""]; w.Code != status || !strings.Contains(log.String(), want) {
			t.Errorf("%s: %d, log %s", body, w.Code, &log)
		}
		if w.Code == 500 && strings.Contains(w.Body.String(), "field") { // not for clients
			t.Errorf("the client is told %s", w.Body)
		}
	}
}

func TestABlankValueIsNotSentWhereItIsNoText(t *testing.T) {
	type in struct {
		Page  int           `query:"page" form:"page"`
		Min   *int          `query:"min"`
		Since time.Time     `query:"since"`
		On    bool          `query:"on"`
		F     float64       `query:"f"`
		D     time.Duration `query:"d"`
		IDs   []int         `query:"ids"`
		Pair  pairText      `query:"pair"`
		Name  string        `query:"name"`
		Alias *string       `query:"alias"`
		Tags  []string      `query:"tags"`
	}
	start := in{Page: 1, IDs: []int{7}, Name: "preset"}
	got, w := bindAs(t, start, "/1?page=&min=&since=&on=&f=&d=&ids=&pair=&name=&alias=&tags=", formBody, "page=")
	if w.Code != 204 || got.Page != 1 || got.Min != nil || got.IDs[0] != 7 || got.Name != "" || got.Alias == nil || len(got.Tags) != 1 {
		t.Errorf("%d %s: %+v", w.Code, w.Body, got)
	}
	got, w = bindAs(t, start, "/1?ids=&ids=3", "", "")
	if w.Code != 204 || !slices.Equal(got.IDs, []int{3}) {
		t.Errorf("%d %s: %+v", w.Code, w.Body, got)
	}
}

// pairText is an array that reads text.
type pairText [2]byte

func (p *pairText) UnmarshalText(text []byte) error {
	if copy(p[:], text) != 2 {
		return errors.New("two bytes")
	}
	return nil
}

func TestTextsThatAreNoValueAreToldSo(t *testing.T) {
	type in struct {
		F    float64   `query:"f"`
		G    float32   `query:"g"`
		T    time.Time `query:"t"`
		IDs  []int     `query:"ids"`
		Pair pairText  `query:"pair"`
	}
	for query, want := range map[string]string{
		"f=NaN": "must be a number", "f=Inf": "must be a number", "f=-infinity": "must be a number", "g=1e39": "must be a number",
		"f=1e3": "", "t=2026-11-28T10:30": "", "t=2026-11-28T10:30:15.5": "", "t=2026-11-28": "", "t=10:30": "must be a time",
		"t=2026-11-28T10:30:00%2B01:00": "", "ids=x": "must be an integer", "pair=x": "must be a valid value",
	} {
		_, w := bindAs(t, in{}, "/1?"+query, "", "")
		if want == "" && w.Code != 204 || want != "" && (w.Code != 400 || !strings.Contains(w.Body.String(), want)) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestAnUnknownRuleIsNamedByAPlainBindToo(t *testing.T) {
	type in struct {
		Name string `json:"name" validate:"requird"`
	}
	var log bytes.Buffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Post("/", func(c *Context) error { return c.Bind(new(in)) })
	if w := do(t, app, "POST", "/", "{}", "Content-Type", jsonBody); w.Code != 500 || !strings.Contains(log.String(), "'requird' on field 'Name'") {
		t.Errorf("%d, log %s", w.Code, &log)
	}
}
