package repo

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/nextrush/nextrush"

// allowedImports lists what the packages under a folder may import of this module. The
// longest folder that fits counts; one that is not listed may import what is
// public.
var allowedImports = map[string][]string{
	".":                                  {"websocket", "internal"},
	"middleware":                         {".", "internal"},
	"middleware/storetest":               {"middleware"},
	"plugins":                            {".", "websocket", "internal"},
	"websocket":                          {"websocket/broker", "websocket/internal", "internal"},
	"websocket/broker":                   {},
	"websocket/brokertest":               {"websocket/broker"},
	"websocket/internal/cluster":         {"websocket/broker", "internal/seldom"},
	"websocket/internal":                 {},
	"websocket/internal/redial":          {"websocket/internal/history"},
	"websocket/internal/protocol":        {"websocket/internal/history", "websocket/internal/roster"},
	"websocket/internal/conn":            {"websocket/internal/wire", "websocket/internal/deflate", "websocket/internal/limit", "websocket/internal/outbox", "websocket/internal/pulse", "internal"},
	"websocket/internal/handshake":       {"websocket/internal/wire", "internal/origin"},
	"websocket/internal/outbox":          {"websocket/internal/wire", "internal/transport"},
	"websocket/internal/room":            {"websocket/internal/conn", "websocket/internal/history", "websocket/internal/protocol", "websocket/internal/roster", "websocket/internal/wire", "internal/loop"},
	"websocket/internal/count":           {"websocket/internal/conn"},
	"websocket/internal/spaces":          {"websocket/internal/conn"},
	"websocket/internal/spread":          {"websocket/internal/conn", "websocket/internal/protocol", "websocket/internal/wire"},
	"websocket/internal/users":           {"websocket/internal/limit"},
	"internal":                           {"internal"},
	"internal/loop":                      {"internal/poll"},
	"internal/transport":                 {"internal/loop", "internal/poll", "internal/buffer"},
	"internal/poll":                      {},
	"internal/h1":                        {},
	"internal/httploop":                  {"internal/h1", "internal/loop", "internal/pace", "internal/poll", "internal/stall", "internal/unread"},
	"nextrushtest":                       {".", "websocket", "internal"},
	"cmd/nextrush":                       {".", "websocket", "internal/listen", "internal/listing"},
	"plugins/session/internal/storetest": {".", "plugins/session"},
	"plugins/auth":                       stable,
	"plugins/auth/authtest":              {"plugins/auth"},
	"plugins/autotls":                    stable,
	"plugins/breaker":                    stable,
	"plugins/cluster/nats/embedded":      append([]string{"plugins/cluster/nats", "websocket/broker"}, stable...),
	"plugins/cluster":                    append([]string{"websocket/broker"}, stable...),
	"plugins/cluster/redis":              append([]string{"websocket/broker", "plugins/redis"}, stable...),
	"plugins/metrics":                    stable,
	"plugins/nats":                       append([]string{"middleware"}, stable...),
	"plugins/oauth":                      append([]string{"plugins/auth", "plugins/session"}, stable...),
	"plugins/openapi":                    stable,
	"plugins/redis":                      append([]string{"middleware"}, stable...),
	"plugins/session":                    append([]string{"plugins/session"}, stable...),
	"plugins/tracing":                    stable,
}

// stable is what a plugin may import that is a module of its own. It has to work
// with a newer core, so what it uses of these internal packages stays.
var stable = []string{".", "websocket", "internal/apipage", "internal/cookie", "internal/jsonschema", "internal/opt", "internal/origin"}

var coreDependencies = []string{
	"github.com/julienschmidt/httprouter", "github.com/go-playground/validator/v10", "github.com/klauspost/compress",
}

func TestImportsFollowTheArrows(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			checkImport(t, filepath.ToSlash(file), name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImport(t *testing.T, file, name string) {
	t.Helper()
	dir := path.Dir(file)
	root, listed := rootOf(dir)
	to, ours := strings.CutPrefix(name, module)
	if !ours {
		if core := listed && !within(root, []string{"plugins"}); core && strings.Contains(strings.Split(name, "/")[0], ".") && !within(name, coreDependencies) {
			t.Errorf("%s imports %s, which is no dependency of the core", file, name)
		}
		return
	}
	to = strings.TrimPrefix(to, "/")
	if to == "" {
		to = "."
	}
	switch {
	case to == dir:
	case !listed && to != "." && !strings.Contains("/"+to+"/", "/internal/"):
	case !listed && to == ".":
	case listed && within(to, allowedImports[root]):
	default:
		t.Errorf("%s imports %s: that arrow runs the wrong way", file, name)
	}
}

// rootOf is the longest listed folder that holds dir.
func rootOf(dir string) (string, bool) {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := allowedImports[dir]; ok {
			return dir, true
		}
		if path.Dir(dir) == "." {
			return dir, false
		}
	}
	return ".", true
}

func within(name string, roots []string) bool {
	for _, root := range roots {
		if name == root || root != "." && strings.HasPrefix(name, root+"/") {
			return true
		}
	}
	return false
}
