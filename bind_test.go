package nextrush

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
	"time"
)

const jsonBody, formBody = "application/json", "application/x-www-form-urlencoded"

// bindAs serves POST /:id, which binds a T, and returns it with the answer.
func bindAs[T any](t *testing.T, start T, target, contentType, body string, header ...string) (T, *httptest.ResponseRecorder) {
	t.Helper()
	app := New(Options{BodyLimit: 1000})
	v := start
	app.Post("/:id", func(c *Context) error {
		if err := c.Bind(&v); err != nil {
			return err
		}
		return c.NoContent()
	})
	w := do(t, app, "POST", target, body, append(header, "Content-Type", contentType)...)
	return v, w
}

func TestBindTakesEachFieldFromItsOwnSource(t *testing.T) {
	type paging struct {
		Page int `query:"page"`
	}
	type in struct {
		paging
		ID      int           `path:"id"`
		Name    string        `json:"name"`
		Tags    []string      `query:"tag"`
		When    time.Time     `query:"when"`
		Wait    time.Duration `query:"wait"`
		Agent   string        `header:"X-Agent"`
		Session *string       `cookie:"sid"`
		Admin   bool
	}
	got, w := bindAs(t, in{}, "/7?page=3&tag=a&tag=b&when=2024-05-06&wait=3s&name=q&id=9&Admin=true", jsonBody,
		`{"name":"ada","ID":1,"Admin":true,"page":9,"Agent":"j","tag":["x"]}`, "X-Agent", "h", "Cookie", "sid=s")
	sid := "s"
	want := in{paging{3}, 7, "ada", []string{"a", "b"}, time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC), 3 * time.Second, "h", &sid, false}
	if w.Code != 204 || !reflect.DeepEqual(got, want) {
		t.Fatalf("status %d %s\ngot  %+v\nwant %+v", w.Code, w.Body, got, want)
	}
}

func TestBindNeverTouchesFieldsWithoutATag(t *testing.T) {
	type item struct {
		Name  string `json:"name" xml:"name"`
		Price int
	}
	type in struct {
		Role  string
		Item  item            `json:"item" xml:"item"`
		Items []item          `json:"items" xml:"items"`
		Map   map[string]item `json:"map" xml:"-"`
		Ptr   *item           `json:"ptr" xml:"ptr"`
	}
	start := in{Role: "user", Item: item{Price: 5}}
	want := in{"user", item{"a", 5}, []item{{"b", 0}}, map[string]item{"k": {"c", 0}}, &item{"d", 0}}
	got, w := bindAs(t, start, "/1", jsonBody, `{"Role":"admin","role":"x","item":{"name":"a","Price":1},
		"items":[{"name":"b","PRICE":1}],"map":{"k":{"name":"c","Price":1}},"ptr":{"name":"d","price":1}}`)
	if w.Code != 204 || !reflect.DeepEqual(got, want) {
		t.Errorf("JSON: status %d, got %+v", w.Code, got)
	}
	want.Map = nil
	got, w = bindAs(t, start, "/1", "application/xml", `<in><Role>admin</Role><item><name>a</name><Price>1</Price></item>
		<items><name>b</name><Price>1</Price></items><ptr><name>d</name><Price>1</Price></ptr></in>`)
	if w.Code != 204 || !reflect.DeepEqual(got, want) {
		t.Errorf("XML: status %d, got %+v", w.Code, got)
	}
}

// A client may nest values as deeply as the decoders go, which is 10,000.
func TestBindNeverTouchesFieldsWithoutATagHoweverDeep(t *testing.T) {
	type node struct {
		Next  *node `json:"next" xml:"next"`
		Admin bool
	}
	for _, depth := range []int{10, 600, 4900} {
		bodies := map[string]string{
			jsonBody:          strings.Repeat(`{"next":`, depth) + `{"Admin":true}` + strings.Repeat("}", depth),
			"application/xml": "<a>" + strings.Repeat("<next>", depth) + "<Admin>true</Admin>" + strings.Repeat("</next>", depth) + "</a>",
		}
		for contentType, body := range bodies {
			var got node
			app := New()
			app.Post("/", func(c *Context) error { return c.Bind(&got) })
			w := do(t, app, "POST", "/", body, "Content-Type", contentType)
			n, levels := &got, 0
			for ; n.Next != nil; n = n.Next {
				levels++
			}
			if w.Code != 200 || levels != depth || n.Admin {
				t.Errorf("%s, %d levels: %d, %d levels, %v", contentType, depth, w.Code, levels, n.Admin)
			}
		}
	}
}

type signup struct {
	Name    string `json:"name" form:"name" validate:"required,min=3"`
	Age     int    `json:"age" form:"age" validate:"gte=18"`
	Address struct {
		Zip string `json:"zip" validate:"omitempty,len=5"`
	} `json:"address"`
	Items []struct {
		N int `json:"n" validate:"max=9"`
	} `json:"items" validate:"dive"`
}

func TestBindAnswersWhatIsWrong(t *testing.T) {
	ok := `{"name":"ada","age":20}`
	for _, tt := range []struct {
		name, contentType, body string
		status                  int
		fields                  string
	}{
		{"fine", jsonBody, ok, 204, ""},
		{"a charset is allowed", "application/json; charset=utf-8", ok, 204, ""},
		{"upper case is allowed", "APPLICATION/JSON", ok, 204, ""},
		{"white space after the type", "application/json\t;", ok, 204, ""},
		{"a suffix is allowed", "application/vnd.x+json", ok, 204, ""},
		{"a form is allowed", formBody, "name=ada&age=20", 204, ""},
		{"an unknown type", "text/plain", ok, 415, ""},
		{"no type", "", ok, 415, ""},
		{"a type without tags", "application/xml", "<a/>", 415, ""},
		{"malformed JSON", jsonBody, `{"name":`, 400, ""},
		{"something after the JSON", jsonBody, ok + "{}", 400, ""},
		{"a form with a stray % and ;", formBody, "name=%zz;&age=20", 204, ""},
		{"a form of too many fields", formBody, strings.Repeat("&", 999), 422, "name/required age/gte"},
		{"the wrong type in JSON", jsonBody, `{"address":{"zip":5}}`, 400, "address.zip/type"},
		{"the wrong type in a form", formBody, "name=ada&age=x", 400, "age/type"},
		{"an overflow", formBody, "age=99999999999999999999", 400, "age/type"},
		{"too large", jsonBody, `{"name":"` + strings.Repeat("x", 1000) + `"}`, 413, ""},
		{"invalid", jsonBody, `{"name":"al","age":1,"address":{"zip":"1"},"items":[{"n":1},{"n":10}]}`, 422,
			"name/min age/gte address.zip/len items[1].n/max"},
		{"nothing", jsonBody, "", 422, "name/required age/gte"},
		{"an index in a form", formBody, "name=ada&age=20&items[999999999]=x", 204, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, w := bindAs(t, signup{}, "/1", tt.contentType, tt.body)
			var p struct{ Errors []FieldError }
			if w.Code != 204 {
				json.Unmarshal(w.Body.Bytes(), &p)
			}
			var fields []string
			for _, e := range p.Errors {
				fields = append(fields, e.Field+"/"+e.Rule)
				if e.Message == "" {
					t.Errorf("%s has no message", e.Field)
				}
			}
			if got := strings.Join(fields, " "); w.Code != tt.status || got != tt.fields {
				t.Errorf("status %d, fields %q; want %d, %q", w.Code, got, tt.status, tt.fields)
			}
		})
	}
}

func TestEmbeddedFieldsAreNamedAsInJSON(t *testing.T) {
	type Base struct {
		Name string `json:"name" validate:"required"`
	}
	type in struct{ Base }
	_, w := bindAs(t, in{}, "/1", jsonBody, "{}")
	if !strings.Contains(w.Body.String(), `"field":"name"`) {
		t.Fatal(w.Body)
	}
}

func TestBindTakesFilesFromAMultipartForm(t *testing.T) {
	type in struct {
		Title string                  `form:"title"`
		File  *multipart.FileHeader   `form:"file"`
		Files []*multipart.FileHeader `form:"file"`
	}
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	m.WriteField("title", "t")
	for _, name := range []string{"a.txt", "b.txt"} {
		part, _ := m.CreateFormFile("file", name)
		part.Write([]byte("x"))
	}
	m.Close()
	got, w := bindAs(t, in{}, "/1", m.FormDataContentType(), body.String())
	if w.Code != 204 || got.Title != "t" || got.File.Filename != "a.txt" || len(got.Files) != 2 {
		t.Fatalf("status %d %s: %+v", w.Code, w.Body, got)
	}
}

func TestAQueryIsSplitAtAmpersandsAlone(t *testing.T) {
	type in struct {
		Q    string `query:"q"`
		Page int    `query:"page"`
		A    string `query:"a"`
	}
	app := New()
	app.Get("/query", func(c *Context) error { return c.Text(c.Query("q") + " " + c.Query("page") + " " + c.Query("a")) })
	app.Get("/bind", Handle(func(_ *Context, in in) ([]any, error) { return []any{in.Q, in.Page, in.A}, nil }))
	app.Get("/page", func(c *Context) error { return c.Paginate(nil, 1, 1, 2) })
	if got := do(t, app, "GET", "/query?q=a;b&page=2&a=%zz", "").Body.String(); got != "a;b 2 %zz" {
		t.Errorf("Query: %s", got)
	}
	if got := do(t, app, "GET", "/bind?q=a;b&page=2&a=%", "").Body.String(); strings.TrimSpace(got) != `["a;b",2,"%"]` {
		t.Errorf("Bind: %s", got)
	}
	if got := do(t, app, "GET", "/page?q=a;b", "").Header().Get("Link"); !strings.Contains(got, "q=a%3Bb") {
		t.Errorf("Paginate: %s", got)
	}
	if w := do(t, app, "GET", "/bind?"+strings.Repeat("&", 10_000), ""); w.Code != 400 {
		t.Errorf("too many: %d", w.Code)
	}
}

func TestAMultipartFormMayHaveAQueryOfAnyKind(t *testing.T) {
	type in struct {
		Title string `form:"title"`
		Q     string `query:"q"`
	}
	body := "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nt\r\n--x--"
	got, w := bindAs(t, in{}, "/1?q=a;b", "multipart/form-data; boundary=x", body)
	if w.Code != 204 || got.Title != "t" || got.Q != "a;b" {
		t.Errorf("%d %s: %+v", w.Code, w.Body, got)
	}
}

func TestBindIntoASliceValidatesItsItems(t *testing.T) {
	_, w := bindAs(t, []signup(nil), "/1", jsonBody, `[{"name":"ada","age":18},{"name":"x","age":18}]`)
	if w.Code != 422 || !strings.Contains(w.Body.String(), `"[1].name"`) {
		t.Fatalf("status %d %s", w.Code, w.Body)
	}
}

func TestAnUnsupportedMediaTypeIsToldWhatIsTaken(t *testing.T) {
	_, w := bindAs(t, signup{}, "/1", "text/plain", "x")
	want := "the Content-Type must be application/json or application/x-www-form-urlencoded or multipart/form-data"
	if w.Code != 415 || !strings.Contains(w.Body.String(), want) {
		t.Fatalf("status %d %s", w.Code, w.Body)
	}
	_, w = bindAs(t, map[string]any{}, "/1", "text/plain", "x")
	if !strings.Contains(w.Body.String(), "must be application/json\"") {
		t.Fatalf("status %d %s", w.Code, w.Body)
	}
}

func TestBindWithoutAPointerPanicsAndNamesTheFix(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "pointer") {
			t.Fatalf("panic %q", s)
		}
	}()
	c := newContext(New(), httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	c.Bind(signup{})
}

func TestAFieldThatTakesNoTextPanics(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "Filter") || !strings.Contains(s, "UnmarshalText") {
			t.Fatalf("panic %q", s)
		}
	}()
	c := newContext(New(), httptest.NewRecorder(), httptest.NewRequest("GET", "/?filter=x", nil))
	c.Bind(&struct {
		Filter struct{ Name string } `query:"filter"`
	}{})
}

func FuzzBind(f *testing.F) {
	type node struct {
		Name  string  `json:"name" xml:"name" form:"name" query:"name" validate:"max=5"`
		N     int8    `form:"n" query:"n" json:"n" xml:"n"`
		Next  *node   `json:"next" xml:"next"`
		Nodes []*node `json:"nodes" xml:"nodes" validate:"dive"`
		Any   any     `json:"any" xml:"-"`
		Role  string
	}
	f.Add(jsonBody, `{"name":"a","next":{"nodes":[{"Role":"x"},null]},"Role":"x"}`, "name=a")
	f.Add(formBody, "name=a&n=300", "n=1&n=2")
	f.Add("text/xml", "<a><name>x</name><next><Role>y</Role></next></a>", "")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n--x--", "")
	f.Fuzz(func(t *testing.T, contentType, body, query string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.URL.RawQuery = query
		c := newContext(New(), httptest.NewRecorder(), r)
		v := node{Role: "mine"}
		err := c.Bind(&v)
		if status := StatusOf(err); status >= 500 {
			t.Fatalf("status %d: %v", status, err)
		}
		if v.Role != "mine" || v.Next != nil && v.Next.Role != "" {
			t.Fatalf("an untagged field was set: %+v", v)
		}
	})
}

func TestValidationMessagesCanBeWordedAnew(t *testing.T) {
	app := New(Options{ValidationMessage: func(c *Context, f validator.FieldError) string {
		if c.AcceptsLanguage("en", "de") == "de" {
			return f.Field() + " fehlt"
		}
		return ""
	}})
	app.Post("/", func(c *Context) error {
		var in struct {
			Name string `json:"name" validate:"required"`
		}
		return c.Bind(&in)
	})
	for language, want := range map[string]string{"de": "name fehlt", "fr, en;q=0.5": "is required"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 422 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", language, w.Code, w.Body, want)
		}
	}
}
