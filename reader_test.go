package nextrush

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// readAs answers a request with what Query reads, and with the error.
func readAs[T any](t *testing.T, query string, fallback ...T) (v T, answer string) {
	t.Helper()
	app := New()
	app.Get("/", func(c *Context) (err error) {
		if v, err = Query(c, "q", fallback...); err != nil {
			return err
		}
		return c.NoContent()
	})
	w := do(t, app, "GET", "/?"+query, "")
	if w.Code == 204 {
		return v, ""
	}
	return v, fmt.Sprint(w.Code, " ", w.Body)
}

func checkRead[T any](t *testing.T, query string, want T, fallback ...T) {
	t.Helper()
	if got, answer := readAs(t, query, fallback...); answer != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got %v, want %v; %s", query, got, want, answer)
	}
}

func TestQueryReadsWhatBindReads(t *testing.T) {
	checkRead(t, "q=7", 7)
	checkRead(t, "", 0)
	checkRead(t, "", 3, 3)
	checkRead(t, "q=", 3, 3)
	checkRead(t, "q=", "", "x")
	checkRead(t, "q=a&q=b", "a")
	checkRead(t, "q=1&q=2", []int{1, 2})
	checkRead(t, "q=on", true)
	checkRead(t, "q=1.5", 1.5)
	checkRead(t, "q=1m30s", 90*time.Second)
	checkRead(t, "q=2026-01-02", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	checkRead(t, "q=::1", netip.MustParseAddr("::1"))
	seven := 7
	checkRead(t, "q=7", &seven)
	checkRead(t, "", (*int)(nil))
}

func TestQueryAndParamSayWhatIsWrong(t *testing.T) {
	if v, answer := readAs(t, "q=x", 5); v != 0 || !strings.HasPrefix(answer, "400") || !strings.Contains(answer, "the query parameter q must be an integer") {
		t.Errorf("%d %s", v, answer)
	}
	if _, answer := readAs[int8](t, "q=200"); !strings.Contains(answer, "400") {
		t.Error(answer)
	}
	if _, answer := readAs[int](t, strings.Repeat("a&", 10_000)); !strings.Contains(answer, "too many parameters") {
		t.Error(answer)
	}
	app := New()
	app.Get("/users/:id", func(c *Context) error {
		id, err := Param[int](c, "id")
		if err != nil {
			return err
		}
		return c.JSON(id)
	})
	app.Get("/wrong/:id", func(c *Context) error { _, err := Param[int](c, "name"); return err })
	if w := do(t, app, "GET", "/users/7", ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "7" {
		t.Error(w.Code, w.Body)
	}
	w := do(t, app, "GET", "/users/me", "")
	var problem struct {
		Detail string
		Errors []FieldError
	}
	json.Unmarshal(w.Body.Bytes(), &problem)
	want := []FieldError{{"id", "type", "an integer", "id must be an integer"}}
	if w.Code != 400 || problem.Detail != "the path parameter id must be an integer" || !reflect.DeepEqual(problem.Errors, want) {
		t.Error(w.Code, w.Body)
	}
	if w := do(t, app, "GET", "/wrong/7", ""); w.Code != 500 {
		t.Error(w.Code, w.Body)
	}
}

func TestQueryOfATypeThatTakesNoTextPanics(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error { _, err := Query[struct{ A int }](c, "q"); return err })
	if w := do(t, app, "GET", "/", ""); w.Code != 500 {
		t.Error(w.Code)
	}
}

func TestFormReadsAFieldOfTheBody(t *testing.T) {
	app := New(Options{BodyLimit: 1000})
	app.Post("/", func(c *Context) error {
		return c.Text(c.Form("a") + "|" + c.Form("b", "none") + "|" + c.Form("a"))
	})
	multipartBody := "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"
	for _, tt := range []struct{ target, kind, body, want string }{
		{"/", formBody, "a=1&a=2", "1|none|1"},
		{"/", formBody, "b=", "||"},
		{"/?a=q&b=q", formBody, "a=1", "1|none|1"},
		{"/", "multipart/form-data; boundary=x", multipartBody, "1|none|1"},
		{"/", jsonBody, `{"a":"1"}`, "|none|"},
		{"/", "", "a=1", "|none|"},
		{"/", formBody, strings.Repeat("a=1&", 300), "|none|"},
	} {
		if w := do(t, app, "POST", tt.target, tt.body, "Content-Type", tt.kind); w.Body.String() != tt.want {
			t.Errorf("%s %.20q: %q, want %q", tt.kind, tt.body, w.Body, tt.want)
		}
	}
}

func TestFormAndBindReadTheSameBody(t *testing.T) {
	app := New()
	app.Post("/", func(c *Context) error {
		first := c.Form("a")
		var in struct {
			A string `form:"a"`
		}
		if err := c.Bind(&in); err != nil {
			return err
		}
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(first + in.A + string(body))
	})
	if w := do(t, app, "POST", "/", "a=1", "Content-Type", formBody); w.Body.String() != "11a=1" {
		t.Error(w.Code, w.Body)
	}
}

func TestMalformedJSONHasAPosition(t *testing.T) {
	for body, want := range map[string]string{
		"{\n  \"name\": \"ä\", }": `at line 2, column 16: invalid character '}' looking for beginning of object key string`,
		`{"a":1`:                  `at line 1, column 7: it ends too early`,
		"{}\n\n x":                `at line 3, column 2: invalid character 'x' after top-level value`,
		"x":                       `at line 1, column 1: invalid character 'x' looking for beginning of value`,
		"{\"a\":tru}":             `at line 1, column 9: invalid character '}' in literal true (expecting 'e')`,
	} {
		_, w := bindAs(t, struct {
			A any `json:"a"`
		}{}, "/1", jsonBody, body)
		var problem struct{ Detail string }
		json.Unmarshal(w.Body.Bytes(), &problem)
		if w.Code != 400 || problem.Detail != "the JSON is malformed "+want {
			t.Errorf("%q: %d %s", body, w.Code, problem.Detail)
		}
	}
	_, w := bindAs(t, struct {
		A time.Time `json:"a"`
	}{}, "/1", jsonBody, `{"a":"now"}`)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "a value in the JSON is not valid") {
		t.Error(w.Code, w.Body)
	}
	_, w = bindAs(t, struct {
		A int `json:"a"`
	}{}, "/1", jsonBody, `[]`)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "the body must be an object") {
		t.Error(w.Code, w.Body)
	}
}

type strictItem struct {
	Name  string `json:"name"`
	Price int
}

type strictIn struct {
	strictItem
	Items []strictItem          `json:"items"`
	Map   map[string]strictItem `json:"map"`
	Next  *strictIn             `json:"next"`
	Any   any                   `json:"any"`
	Raw   json.RawMessage       `json:"raw"`
	When  time.Time             `json:"when"`
	ID    string                `path:"id"`
}

func TestStrictJSONRefusesWhatNoFieldIsFor(t *testing.T) {
	app := New(Options{StrictJSON: true})
	app.Post("/:id", func(c *Context) error {
		var in strictIn
		if err := c.Bind(&in); err != nil {
			return err
		}
		return c.NoContent()
	})
	post := func(body string) (int, string) {
		w := do(t, app, "POST", "/1", body, "Content-Type", jsonBody)
		var problem struct {
			Detail string
			Errors []FieldError
		}
		json.Unmarshal(w.Body.Bytes(), &problem)
		said := ""
		for _, e := range problem.Errors {
			said += e.Message + ";"
		}
		return w.Code, said
	}
	for body, want := range map[string]string{
		`{"name":"a","items":[{"name":"b"}],"map":{"x":{"name":"c"},"X":{}},"next":{"next":null},"any":{"a":[1,{"b":2}]},"raw":{"z":1},"when":"2026-01-02T03:04:05Z"}`: "",
		`{}`:                                        "",
		`{"admin":true}`:                            "admin is not known;",
		`{"Price":1,"price":2}`:                     "Price is not known;price is not known;",
		`{"NAME":"a"}`:                              "NAME is not known;",
		`{"ID":"2","id":"3"}`:                       "ID is not known;id is not known;",
		`{"items":[{},{"x":1}]}`:                    "items[1].x is not known;",
		`{"map":{"k":{"x":{"name":1}}}}`:            "map.k.x is not known;",
		`{"next":{"next":{"x":1}}}`:                 "next.next.x is not known;",
		`{"name":"a","name":"b"}`:                   "name is there twice;",
		`{"any":{"a":1,"a":2}}`:                     "any.a is there twice;",
		`{"map":{"k":{},"k":{}}}`:                   "map.k is there twice;",
		`{"` + strings.Repeat("x", 500) + `":[[]]}`: strings.Repeat("x", 100) + "… is not known;",
	} {
		code, said := post(body)
		if said != want || (code == 204) != (want == "") {
			t.Errorf("%.60s: %d %q, want %q", body, code, said, want)
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`"x":1,`, 1000), ",")
	if _, said := post("{" + many + "}"); strings.Count(said, ";") != 10 {
		t.Errorf("%d members are named", strings.Count(said, ";"))
	}
	if code, _ := post(`{"any":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}"); code != 204 {
		t.Errorf("deep: %d", code)
	}
}
