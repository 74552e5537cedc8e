package autotls_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/autotls"
)

// Otherwise each handshake would fail, or each restart would ask for new certificates.
func TestACacheDirThatNobodyCanWriteToIsAnErrorAtSetUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "certs")} {
		err := nextrush.New().Register(autotls.New(autotls.Options{Domains: []string{"a.test"}, CacheDir: dir}))
		if err == nil || !strings.Contains(err.Error(), "CacheDir") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "new", "certs")
	if err := nextrush.New().Register(autotls.New(autotls.Options{Domains: []string{"a.test"}, CacheDir: dir})); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
