package upload_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/upload"
)

var png = append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{7}, 1000)...)

type sent struct{ field, name, content string }

// form returns a request with the parts; those without a name are fields.
func form(parts ...sent) *http.Request {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		if p.name == "" {
			w.WriteField(p.field, p.content)
			continue
		}
		f, _ := w.CreateFormFile(p.field, p.name)
		io.WriteString(f, p.content)
	}
	w.Close()
	r := httptest.NewRequest("POST", "/", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func serve(o upload.Options, r *http.Request, h nextrush.Handler) *httptest.ResponseRecorder {
	app := nextrush.New(nextrush.Options{BodyLimit: 100})
	app.Post("/", upload.Handler(o), h)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func done(c *nextrush.Context) error { return c.NoContent() }

func TestFilesAndFieldsArrive(t *testing.T) {
	big := strings.Repeat("text ", 40_000)
	dir := t.TempDir()
	r := form(sent{"title", "", "Holiday"}, sent{"photo", "a.png", string(png)}, sent{"notes", `C:\x\b.txt`, big}, sent{"empty", "e", ""})
	w := serve(upload.Options{Dir: dir}, r, func(c *nextrush.Context) error {
		f := upload.From(c)
		if f.Values.Get("title") != "Holiday" || len(f.Files) != 3 || f.File("other") != nil {
			t.Errorf("%+v", f)
		}
		for _, want := range []struct {
			field, name, mediaType, ext, content string
		}{
			{"photo", "a.png", "image/png", ".png", string(png)},
			{"notes", "b.txt", "text/plain; charset=utf-8", ".txt", big},
			{"empty", "e", "text/plain; charset=utf-8", ".txt", ""},
		} {
			f := f.File(want.field)
			from, err := f.Open()
			if err != nil {
				return err
			}
			content, err := io.ReadAll(from)
			from.Close()
			if f.Name != want.name || f.Type != want.mediaType || f.Ext() != want.ext || err != nil ||
				string(content) != want.content || f.Size != int64(len(want.content)) {
				t.Errorf("%s: %s, %s, %s, %d bytes of %d, %v", want.field, f.Name, f.Type, f.Ext(), len(content), f.Size, err)
			}
		}
		if n := files(t, dir); n != 1 {
			t.Errorf("%d files on disk, want the large one", n)
		}
		return c.NoContent()
	})
	if w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files stay on disk", n)
	}
}

func files(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestLimitsAndMistakesHaveTheirStatus(t *testing.T) {
	large := strings.Repeat("x", 200_000)
	whole := form(sent{"f", "a", large})
	body, _ := io.ReadAll(whole.Body)
	cut := httptest.NewRequest("POST", "/", bytes.NewReader(body[:len(body)/2]))
	cut.Header = whole.Header
	noBoundary := form(sent{"f", "a", "x"})
	noBoundary.Header.Set("Content-Type", "multipart/form-data")
	many := make([]sent, 101)
	for i := range many {
		many[i] = sent{fmt.Sprint(i), "", "x"}
	}
	unknown := form(sent{"f", "a", large})
	unknown.ContentLength = -1
	for name, tt := range map[string]struct {
		o    upload.Options
		r    *http.Request
		want int
	}{
		"no form":                      {upload.Options{}, httptest.NewRequest("POST", "/", strings.NewReader("x")), 415},
		"no boundary":                  {upload.Options{}, noBoundary, 400},
		"a file that is too large":     {upload.Options{MaxFile: 199_999}, form(sent{"f", "a", large}), 413},
		"a file at the limit":          {upload.Options{MaxFile: 200_000}, form(sent{"f", "a", large}), 204},
		"a field that is too large":    {upload.Options{MaxField: 3}, form(sent{"f", "", "four"}), 413},
		"too much in all":              {upload.Options{MaxTotal: 100_000}, form(sent{"f", "a", large}), 413},
		"too much in all, unannounced": {upload.Options{MaxTotal: 100_000}, unknown, 413},
		"too many files":               {upload.Options{MaxFiles: 1}, form(sent{"f", "a", "x"}, sent{"f", "b", "x"}), 413},
		"too many fields":              {upload.Options{}, form(many...), 413},
		"cut in the middle":            {upload.Options{}, cut, 400},
		"a type that is taken":         {upload.Options{Types: []string{"image/*"}}, form(sent{"f", "a", string(png)}), 204},
		"a script that calls itself an image": {upload.Options{Types: []string{"image/*"}},
			form(sent{"f", "a.png", "<script>alert(1)</script>"}), 422},
	} {
		dir := t.TempDir()
		tt.o.Dir, tt.o.Memory = dir, 100
		if w := serve(tt.o, tt.r, done); w.Code != tt.want {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tt.want)
		}
		if n := files(t, dir); n != 0 {
			t.Errorf("%s: %d files stay on disk", name, n)
		}
	}
}

func TestPartsWithoutEndAreRefused(t *testing.T) {
	body := strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n", 100_000) + "--b--\r\n"
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if w := serve(upload.Options{}, r, done); w.Code != 413 {
		t.Errorf("100,000 parts: %d", w.Code)
	}
	header := "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n" + strings.Repeat("X: y\r\n", 200_000) + "\r\n\r\n--b--\r\n"
	r = httptest.NewRequest("POST", "/", strings.NewReader(header))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if w := serve(upload.Options{}, r, done); w.Code != 413 && w.Code != 400 {
		t.Errorf("a part with 200,000 headers: %d", w.Code)
	}
}

// counting counts the bytes that are read from a body.
type counting struct {
	io.Reader
	n int
}

func (r *counting) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += n
	return n, err
}

// MaxField does not bound the header of a part, which is read into memory.
func TestLongHeadersOfPartsAreRefusedUnread(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, header := range map[string]string{
		"the name of a field": `Content-Disposition: form-data; name="` + long + `"`,
		"the name of a file":  `Content-Disposition: form-data; name="f"; filename="` + long + `"`,
		"another header":      "Content-Disposition: form-data; name=\"f\"\r\nX: " + long,
		"many headers":        "Content-Disposition: form-data; name=\"f\"\r\n" + strings.Repeat("X: y\r\n", 100_000) + "Y: z",
	} {
		for before, value := range map[string]string{"first": "", "second": "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("v", 60<<10) + "\r\n"} {
			body := &counting{Reader: strings.NewReader(value + "--b\r\n" + header + "\r\n\r\nvalue\r\n--b--\r\n")}
			r := httptest.NewRequest("POST", "/", body)
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			w := serve(upload.Options{}, r, done)
			if w.Code != 413 || body.n > len(value)+20<<10 {
				t.Errorf("%s, %s: %d after %d bytes: %s", name, before, w.Code, body.n, w.Body)
			}
		}
	}
	fits := strings.Repeat("y", 3<<10)
	w := serve(upload.Options{}, form(sent{fits, fits, "x"}, sent{fits, "", strings.Repeat("v", 64<<10)}), done)
	if w.Code != 204 {
		t.Errorf("3 KiB each: %d %s", w.Code, w.Body)
	}
}

func TestARefusalSaysWhichFile(t *testing.T) {
	ok := sent{"photos", "a.png", string(png)}
	for name, tt := range map[string]struct {
		o     upload.Options
		parts []sent
		want  []string
	}{
		"type":   {upload.Options{Types: []string{"image/*"}}, []sent{ok, {"photos", "b.exe", "MZ text"}}, []string{`"field":"photos"`, `"rule":"type"`, `\"b.exe\" must be of type image/*`}},
		"size":   {upload.Options{MaxFile: 1008}, []sent{ok, {"photos", "b.png", string(png) + "x"}}, []string{`"field":"photos"`, `"rule":"max"`, `"param":"1008"`, `\"b.png\" has more than 1008 bytes`}},
		"field":  {upload.Options{MaxField: 3}, []sent{{"title", "", "four"}}, []string{`"field":"title"`, `"rule":"max"`, `"param":"3"`, "title: has more than 3 bytes"}},
		"files":  {upload.Options{MaxFiles: 1}, []sent{ok, {"photos", "b.png", "x"}}, []string{`"field":"photos"`, `\"b.png\" is one of more than 1 files`}},
		"fields": {upload.Options{MaxFields: 1}, []sent{{"a", "", "x"}, {"b", "", "x"}}, []string{`"field":"b"`, "one of more than 1 fields"}},
		"a name": {upload.Options{MaxFile: 1}, []sent{{"f", "\u202e" + strings.Repeat("n", 4000), "xx"}}, []string{`has more than 1 bytes`}},
	} {
		w := serve(tt.o, form(tt.parts...), done)
		for _, want := range tt.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s, want %s", name, w.Code, w.Body, want)
			}
		}
		if w.Body.Len() > 1000 {
			t.Errorf("%s: %d bytes", name, w.Body.Len())
		}
	}
}

func TestFilesAreRemovedWhateverHappens(t *testing.T) {
	for name, h := range map[string]nextrush.Handler{
		"an error": func(*nextrush.Context) error { return errors.New("x") },
		"a panic":  func(*nextrush.Context) error { panic("x") },
	} {
		dir := t.TempDir()
		serve(upload.Options{Dir: dir, Memory: 1}, form(sent{"f", "a", "some text"}), h)
		if n := files(t, dir); n != 0 {
			t.Errorf("after %s %d files stay on disk", name, n)
		}
	}
}

func TestNamesOfClientsAreNotPaths(t *testing.T) {
	for name, want := range map[string]string{
		"../../etc/passwd": "passwd", `..\..\boot.ini`: "boot.ini", "a\u202egpj.exe": "agpj.exe", "..": "file", "/": "file",
	} {
		header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="f"; filename="` + strings.ReplaceAll(name, `\`, `\\`) + `"`}}
		var b bytes.Buffer
		mw := multipart.NewWriter(&b)
		part, _ := mw.CreatePart(header)
		io.WriteString(part, "x")
		mw.Close()
		r := httptest.NewRequest("POST", "/", &b)
		r.Header.Set("Content-Type", mw.FormDataContentType())
		got := ""
		w := serve(upload.Options{}, r, func(c *nextrush.Context) error {
			got = upload.From(c).Files[0].Name
			return c.NoContent()
		})
		if got != want {
			t.Errorf("%q: %q, want %q (%d)", name, got, want, w.Code)
		}
	}
}

func TestSaveStaysInsideAndOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	serve(upload.Options{Memory: 1}, form(sent{"f", "a", "content"}), func(c *nextrush.Context) error {
		f := upload.From(c).Files[0]
		if err := f.Save(dir, "a.txt"); err != nil {
			t.Error(err)
		}
		if err := f.Save(dir, "a.txt"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a name that is there: %v", err)
		}
		if err := f.Save(dir, "../b.txt"); err == nil {
			t.Error("a name that leads out of the directory was taken")
		}
		return c.NoContent()
	})
	if b, err := os.ReadFile(filepath.Join(dir, "a.txt")); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestEachHandsOverPartsAsTheyArrive(t *testing.T) {
	app := nextrush.New()
	var seen []string
	app.Post("/", func(c *nextrush.Context) error {
		err := upload.Each(c, upload.Options{}, func(p *upload.Part) error {
			start := make([]byte, 3)
			n, err := io.ReadFull(p, start) // the rest is skipped
			seen = append(seen, p.Field+" "+p.Name+" "+string(start[:n]))
			return err
		})
		if err != nil {
			return err
		}
		return c.NoContent()
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, form(sent{"a", "", "value"}, sent{"b", "x.txt", strings.Repeat("text", 100_000)}, sent{"c", "", "end"}))
	if got := strings.Join(seen, ","); w.Code != 204 || got != "a  val,b x.txt tex,c  end" {
		t.Errorf("%d: %s", w.Code, got)
	}
}

func TestSetUpMistakesPanic(t *testing.T) {
	for name, o := range map[string]upload.Options{
		"negative limit": {MaxFile: -1},
		"bad type":       {Types: []string{"png"}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			upload.Handler(o)
		}()
	}
}

func Example() {
	app := nextrush.New()
	app.Post("/photos", upload.Handler(upload.Options{Types: []string{"image/*"}}), func(c *nextrush.Context) error {
		f := upload.From(c).File("photo")
		return c.Text(fmt.Sprint(f.Name, " is ", f.Type, " of ", f.Size, " bytes"))
	})
	r := form(sent{"photo", "sea.png", string(png)})
	r.URL.Path = "/photos"
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: sea.png is image/png of 1008 bytes
}
