package repo

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

func TestTheFileForAssistantsIsUpToDate(t *testing.T) {
	want, err := exec.Command("go", "run", "./internal/llms", "-o", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, "docs/llms.txt")
	if got != string(want) {
		t.Error("docs/llms.txt is not what the comments and pages say now: go run ./internal/llms")
	}
	if len(got) > 160_000 {
		t.Errorf("docs/llms.txt has %d bytes: too many to be given to an assistant as a whole", len(got))
	}
	// The form of llmstxt.org: a title, a summary in a quotation, and lists of links under headings.
	if !strings.HasPrefix(got, "# NextRush for Go\n\n> ") || !bytes.Contains(want, []byte("\n## Docs\n\n- [")) {
		t.Error("docs/llms.txt does not have the form of llmstxt.org")
	}
	for dir := range publicPackages(t) {
		if name := strings.TrimPrefix(module+"/"+dir, module+"/."); dir != "." && !strings.Contains(dir, "internal") && !strings.Contains(got, `import "`+name+`"`) {
			t.Errorf("docs/llms.txt has nothing of %s: add it to packages in internal/llms", dir)
		}
	}
}
