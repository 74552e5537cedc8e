package repo

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestModulesFindEachOtherByTheWorkspaceAlone: a replace in a go.mod holds for
// nobody else, and a version that is not the one of go.work is asked for in the
// network.
func TestModulesFindEachOtherByTheWorkspaceAlone(t *testing.T) {
	var work struct {
		Use     []struct{ DiskPath string }
		Replace []struct {
			Old struct{ Path, Version string }
		}
	}
	goJSON(t, ".", &work, "work", "edit", "-json")
	versions := map[string]string{}
	for _, r := range work.Replace {
		versions[r.Old.Path] = r.Old.Version
	}
	for _, use := range work.Use {
		var mod struct {
			Module  struct{ Path string }
			Require []struct{ Path, Version string }
			Replace []any
		}
		goJSON(t, use.DiskPath, &mod, "mod", "edit", "-json")
		if len(mod.Replace) > 0 {
			t.Errorf("%s/go.mod has a replace", use.DiskPath)
		}
		for _, r := range mod.Require {
			if strings.HasPrefix(r.Path, module) && r.Version != versions[r.Path] {
				t.Errorf("%s/go.mod requires %s %s, go.work replaces %s", use.DiskPath, r.Path, r.Version, versions[r.Path])
			}
		}
		if strings.Contains(use.DiskPath, "plugins/") && versions[mod.Module.Path] == "" {
			t.Errorf("go.work does not replace %s", mod.Module.Path)
		}
	}
	files := 1
	for _, pattern := range []string{"*/go.mod", "*/*/go.mod", "*/*/*/go.mod", "*/*/*/*/go.mod"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files += len(found)
	}
	if files != len(work.Use) {
		t.Errorf("go.work lists %d of %d modules", len(work.Use), files)
	}
}

func goJSON(t *testing.T, dir string, v any, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, v)
	}
	if err != nil {
		t.Fatalf("go %v: %v", args, err)
	}
}
