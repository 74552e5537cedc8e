package main

import (
	"bytes"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

func client(t *testing.T) (c *nextrushtest.Client, dir string) {
	t.Helper()
	dir = t.TempDir()
	return nextrushtest.New(t, newApp(dir)), dir
}

// send posts files: name, content, name, content.
func send(c *nextrushtest.Client, files ...string) *nextrushtest.Response {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(files); i += 2 {
		part, _ := form.CreateFormFile("picture", files[i])
		part.Write([]byte(files[i+1]))
	}
	form.Close()
	r, err := http.NewRequest("POST", "/pictures", &body)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return c.Do(r)
}

func onePixel(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAPictureIsKeptAndShown(t *testing.T) {
	c, _ := client(t)
	pixel := onePixel(t)
	var kept, all []picture
	send(c, "../../a.exe", pixel, "b.png", pixel).WantStatus(201).JSON(&kept)
	if len(kept) != 2 {
		t.Fatalf("kept %v", kept)
	}
	c.Get("/pictures").WantStatus(200).JSON(&all)
	if len(all) != 2 {
		t.Errorf("listed %v", all)
	}
	for _, p := range kept {
		if strings.Contains(p.URL, "a.exe") || !strings.HasSuffix(p.URL, ".png") {
			t.Errorf("kept as %s", p.URL)
		}
		r := c.Get(p.URL).WantStatus(200)
		if r.Text() != pixel || r.Header.Get("Content-Type") != "image/png" {
			t.Errorf("%s: %d bytes of %s", p.URL, len(r.Body), r.Header.Get("Content-Type"))
		}
	}
}

func TestAFileThatIsNotAPictureIsRefusedAndNotKept(t *testing.T) {
	c, dir := client(t)
	pixel := onePixel(t)
	for name, answer := range map[string]*nextrushtest.Response{
		"a page":        send(c, "a.png", "<html><script>alert(1)</script>").WantStatus(422),
		"SVG":           send(c, "a.png", `<svg xmlns="http://www.w3.org/2000/svg"/>`).WantStatus(422),
		"one of two":    send(c, "a.png", pixel, "b.png", "text").WantStatus(422),
		"too large":     send(c, "a.png", pixel+strings.Repeat("x", int(limits.MaxFile))).WantStatus(413),
		"nothing":       send(c).WantStatus(422),
		"not even form": c.Post("/pictures", map[string]int{"a": 1}).WantStatus(415),
	} {
		if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/problem+json") {
			t.Errorf("%s: answered as %s", name, got)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("kept %v", left)
	}
}

func TestThePageNeedsNoInlineScript(t *testing.T) {
	c, _ := client(t)
	for _, path := range []string{"/", "/app.js", "/style.css"} {
		c.Get(path).WantStatus(200)
	}
	if page := c.Get("/"); strings.Contains(page.Text(), "<script>") || page.Header.Get("Content-Security-Policy") == "" {
		t.Error("the policy would stop the page's script")
	}
}
