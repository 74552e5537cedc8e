package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

func TestAFileIsKeptUnderANameOfOurs(t *testing.T) {
	dir := t.TempDir()
	c := nextrushtest.New(t, newApp(dir))
	var out kept
	c.Post("/files", nextrushtest.Multipart{}.File("file", "../../evil.html", []byte("%PDF-1.7 notes"))).WantStatus(201).JSON(&out)
	if out.Type != "application/pdf" || filepath.Ext(out.Name) != ".pdf" || out.Size != 14 {
		t.Errorf("got %+v", out)
	}
	if text, err := os.ReadFile(filepath.Join(dir, out.Name)); err != nil || string(text) != "%PDF-1.7 notes" {
		t.Errorf("kept %q, %v", text, err)
	}
}

func TestWhatDoesNotFitIsRefusedAndNotKept(t *testing.T) {
	dir := t.TempDir()
	c := nextrushtest.New(t, newApp(dir))
	large := make([]byte, limits.MaxFile+1)
	c.Post("/files", nextrushtest.Multipart{}.File("file", "a.bin", large)).WantStatus(413)
	c.Post("/files", nextrushtest.Multipart{}.File("file", "a", nil).File("file", "b", nil)).WantStatus(413)
	c.Post("/files", nextrushtest.Multipart{}.Field("file", "text")).WantStatus(422)
	c.Post("/files", nil).WantStatus(415)
	c.With("Origin", "https://evil.test").Post("/files", nextrushtest.Multipart{}).WantStatus(403)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("kept %v, %v", left, err)
	}
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp(t.TempDir()))
	for _, path := range []string{"/", "/app.js", "/style.css"} {
		c.Get(path).WantStatus(200)
	}
}
