package e2e

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// documents reads the YAML of a page.
func documents(t *testing.T, page string) (list []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for d := yaml.NewDecoder(strings.NewReader(block[1])); ; {
			doc := make(map[string]any)
			if err := d.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, block[1])
			}
			list = append(list, doc)
		}
	}
	return list
}

// at is what a document has at a path of keys, and of numbers in lists.
func at(v any, path ...any) any {
	for _, step := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[step.(string)]
		case []any:
			v = x[step.(int)]
		default:
			return nil
		}
	}
	return v
}

// The files of the page fit together.
func TestDeploymentsOfSeveralNodes(t *testing.T) {
	list := documents(t, "../docs/cluster.md")
	if len(list) != 3 {
		t.Fatalf("%d documents, want those of Compose, a Service and a Deployment", len(list))
	}
	compose, service, deployment := list[0], list[1], list[2]
	if url := at(compose, "services", "app", "environment", "REDIS_URL"); url != "redis://redis:6379" || at(compose, "services", "redis", "image") == nil {
		t.Errorf("the app of Compose looks for Redis at %v", url)
	}
	for _, labels := range []any{at(deployment, "spec", "selector", "matchLabels", "app"), at(deployment, "spec", "template", "metadata", "labels", "app")} {
		if labels == nil || labels != at(service, "spec", "selector", "app") {
			t.Errorf("the Service selects %v, the Pods are %v", at(service, "spec", "selector", "app"), labels)
		}
	}
	if at(service, "spec", "clusterIP") != "None" || at(service, "spec", "publishNotReadyAddresses") != true {
		t.Error("the Service does not show the addresses of nodes that are not ready")
	}
	container := at(deployment, "spec", "template", "spec", "containers", 0)
	if peers := at(container, "env", 0, "value"); peers != at(service, "metadata", "name").(string)+":6222" || at(service, "spec", "ports", 0, "port") != at(container, "ports", 1, "containerPort") {
		t.Errorf("nodes look for others at %v", peers)
	}
}
