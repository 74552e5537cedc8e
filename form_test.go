package nextrush_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
)

func TestAFormOfTooManyPairsIsTooLarge(t *testing.T) {
	form := strings.Repeat("a=b&", 10_000)
	app := nextrush.New()
	app.Post("/bind", nextrush.Handle(func(c *nextrush.Context, in struct {
		A string `form:"a"`
	}) (struct{}, error) {
		return struct{}{}, nil
	}))
	app.Post("/csrf", middleware.CSRF(middleware.CSRFOptions{Secret: make([]byte, 32)}), func(c *nextrush.Context) error { return c.NoContent() })
	for _, path := range []string{"/bind", "/csrf"} {
		r := httptest.NewRequest("POST", path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 413 || !strings.Contains(w.Body.String(), "10000") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestFormsAndQueriesNestInBrackets(t *testing.T) {
	type line struct {
		Name  string `form:"name" query:"name" json:"name" validate:"required"`
		Count int    `form:"count" query:"count" json:"count"`
	}
	type order struct {
		Lines []line            `form:"lines" json:"lines" validate:"dive"`
		Tags  []string          `form:"tags" json:"tags"`
		By    map[string]string `query:"by" json:"by"`
	}
	app := nextrush.New()
	app.Post("/", nextrush.Handle(func(_ *nextrush.Context, in order) (order, error) { return in, nil }))
	c := nextrushtest.New(t, app)
	const want = `{"lines": [{"name": "pen", "count": 2}, {"name": "ink", "count": 0}], "tags": ["a", "b"], "by": {"name": "asc"}}`
	c.Post("/?by[name]=asc", "lines[0][name]=pen&lines[0][count]=2&lines[7][name]=ink&tags[]=a&tags[]=b").WantStatus(http.StatusOK).WantJSON(want)
	c.Post("/?by%5Bname%5D=asc", nextrushtest.Multipart{}.Field("lines[0][name]", "pen").Field("lines[0][count]", "2").
		Field("lines[7][name]", "ink").Field("tags[]", "a").Field("tags[]", "b")).WantStatus(http.StatusOK).WantJSON(want)

	var problem struct{ Errors []nextrush.FieldError }
	c.Post("/", "lines[3][count]=1").WantStatus(http.StatusUnprocessableEntity).JSON(&problem)
	if len(problem.Errors) != 1 || problem.Errors[0].Message != "lines[0].name is required" {
		t.Errorf("%+v", problem.Errors)
	}
	c.Post("/", "lines[0][count]=x").WantStatus(http.StatusBadRequest).JSON(&problem)
	if len(problem.Errors) != 1 || problem.Errors[0].Message != "lines[0].count must be an integer" {
		t.Errorf("%+v", problem.Errors)
	}
}

// failingBody is a body that cannot be read for a reason that its reader knows.
type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }
func (failingBody) Close() error               { return nil }

// Whether a body is read as bytes or as a form, the client is told the same reason.
func TestAnErrorOfTheBodysReaderIsTheAnswer(t *testing.T) {
	for _, status := range []int{http.StatusRequestTimeout, http.StatusServiceUnavailable} {
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"} {
			app := nextrush.New()
			app.Post("/", func(c *nextrush.Context) error {
				return c.Bind(new(struct {
					A string `json:"a" form:"a"`
				}))
			})
			r := httptest.NewRequest("POST", "/", failingBody{nextrush.NewError(status)})
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			if w.Code != status {
				t.Errorf("%s: %d, want %d", contentType, w.Code, status)
			}
		}
	}
}
