package repo

import (
	"strings"
	"testing"
)

// Whoever takes a new version has to find what to write instead of what is gone.
func TestAVersionWithChangesSaysHowToMigrate(t *testing.T) {
	versions := strings.Split(read(t, "CHANGELOG.md"), "\n## ")[1:]
	for _, version := range versions {
		name, _, _ := strings.Cut(version, "\n")
		if strings.Contains(version, "\n### Changed\n") && !strings.Contains(version, "\n### Migration\n") {
			t.Errorf("CHANGELOG.md: %s has changes: add a section Migration", name)
		}
	}
	if len(versions) == 0 {
		t.Fatal("CHANGELOG.md has no versions")
	}
}
