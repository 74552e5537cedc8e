package e2e

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// paint makes a picture file.
func paint(t *testing.T, path string) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for i := range 320 * 240 {
		x, y := i%320, i/320
		m.Set(x, y, color.RGBA{uint8(x * 255 / 320), uint8(y), 180, 255})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

func TestPicturesAreUploadedAndShown(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.png"), filepath.Join(dir, "bad.png")
	paint(t, good)
	if err := os.WriteFile(bad, []byte("<script>alert(1)</script>"), 0o644); err != nil {
		t.Fatal(err)
	}
	addr := serve(t, "upload", "-dir", filepath.Join(dir, "kept")).addr
	ctx := browser(t)
	const shown = `[...document.querySelectorAll("#pictures img")].filter((i) => i.naturalWidth === 320).length === 2`
	run(t, ctx, "two pictures", chromedp.Navigate("http://"+addr), chromedp.SetUploadFiles("#files", []string{good, good}),
		sees("#state", "2 pictures added"), chromedp.Poll(shown, nil))
	run(t, ctx, "no picture", chromedp.SetUploadFiles("#files", []string{bad}), sees("#state", "Not uploaded: "))
	keepScreenshot(t, ctx, "upload")
	run(t, ctx, "after a reload", chromedp.Reload(), chromedp.Poll(shown, nil))
}

func TestFrontEndRoutesSurviveAReload(t *testing.T) {
	addr := serve(t, "spa").addr
	ctx := browser(t)
	run(t, ctx, "a note", chromedp.Navigate("http://"+addr), sees("main", "There are none yet"),
		chromedp.Click(`a[href="/new"]`), chromedp.SendKeys("form input", "Shopping"), chromedp.SendKeys("textarea", "milk, <b>tea</b>"),
		chromedp.Click("form button"), sees("main", "milk, <b>tea</b>"))
	var path string
	run(t, ctx, "a reload", chromedp.Reload(), sees("main", "Shopping"), chromedp.Location(&path))
	if path != "http://"+addr+"/notes/1" {
		t.Errorf("the note is at %s", path)
	}
	run(t, ctx, "back and away", chromedp.NavigateBack(), sees("main", "A new note"),
		chromedp.Click(`a[href="/"]`), chromedp.Click(`a[href="/notes/1"]`), sees("h1", "Shopping"))
	keepScreenshot(t, ctx, "spa")
	run(t, ctx, "no such note", chromedp.Navigate("http://"+addr+"/notes/2"), sees("main", "there is no such note"))
}
