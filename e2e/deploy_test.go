package e2e

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/plugins/health"
	"github.com/nextrush/nextrush/websocket"
)

// newApp makes a project with the command nextrush.
func newApp(t *testing.T) (dir string) {
	t.Helper()
	parent := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	shell(t, "..", "go build -o "+parent+"/nextrush ./cmd/nextrush")
	shell(t, parent, "./nextrush new -replace "+root+" example.com/app")
	return filepath.Join(parent, "app")
}

// cookbook returns a file of the cookbook.
func cookbook(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "cookbook", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// serves starts the command, which is a new project, uses its page and its socket, and
// fails the test if it does not end well.
func serves(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	stop := launch(t, addr, cmd)
	for path, want := range map[string]string{"/": "<h1>app</h1>", "/nextrush.js": "connect"} {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, _ := io.ReadAll(res.Body); !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %q", path, res.StatusCode, text)
		}
	}
	s, err := websocket.Dial(t.Context(), "ws://"+addr+"/chat", &websocket.DialOptions{Header: http.Header{"Origin": {"http://" + addr}}})
	if err != nil {
		t.Fatal(err)
	}
	s.Emit("say", map[string]string{"name": "Ann", "text": "hello"})
	if m, err := s.Receive(t.Context()); err != nil || !strings.Contains(m.Text(), `"hello"`) {
		t.Errorf("the socket: %q, %v", m.Text(), err)
	}
	if err := stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	var closed *websocket.CloseError
	if _, err := s.Receive(t.Context()); !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
		t.Errorf("the socket ends with %v", err)
	}
}

// find returns what the group of a pattern matches.
func find(t *testing.T, pattern, text string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in\n%s", pattern, text)
	}
	return m[1]
}

// TestANewProjectIsDeployedByTheCookbook runs a project of the command as the recipes say.
func TestANewProjectIsDeployedByTheCookbook(t *testing.T) {
	dir := newApp(t)
	t.Run("systemd", func(t *testing.T) { runUnits(t, dir) })
	t.Run("docker", func(t *testing.T) { runDockerfile(t, dir) })
}

// runUnits has systemd verify the units, and hand the program its socket.
func runUnits(t *testing.T, dir string) {
	addr := freeport.Address(t)
	shell(t, dir, "go build -o app .")
	write(t, filepath.Join(dir, "app.socket"), cookbook(t, "systemd/app.socket"))
	page, err := os.ReadFile("../docs/autotls.md")
	if err != nil {
		t.Fatal(err)
	}
	unit := adapt(t, cookbook(t, "systemd/app.service"), "/usr/local/bin/app", dir+"/app",
		"[Install]", find(t, "`(AmbientCapabilities=.*)`", string(page))+"\n\n[Install]")
	file := filepath.Join(dir, "app.service")
	write(t, file, unit)
	// It only warns about settings that it does not know.
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	start := strings.Fields(find(t, `(?m)^ExecStart=(.*)$`, unit))
	serves(t, addr, exec.Command("systemd-socket-activate", append([]string{"-l", addr}, start...)...))
}

// runDockerfile follows the instructions without Docker, with a folder for each stage, and
// runs the result in a folder that has only the last stage.
func runDockerfile(t *testing.T, dir string) {
	addr := freeport.Address(t)
	shell(t, dir, "mkdir -p .git web/node_modules && touch .env .git/HEAD web/node_modules/x")
	ignore(t, dir)
	b := &builder{t: t, project: dir, stages: make(map[string]*stage)}
	for line := range strings.SplitSeq(cookbook(t, "docker/Dockerfile"), "\n") {
		if instruction, rest, ok := strings.Cut(line, " "); ok {
			b.do(instruction, rest)
		}
	}
	cmd := exec.Command(b.now.root+b.entry, "-addr", addr)
	if os.Getuid() == 0 && strings.HasSuffix(b.now.base, ":nonroot") {
		shell(t, "/", "chmod 755 "+b.now.root+" "+path.Dir(b.now.root)) // which nobody but root can write to
		cmd = &exec.Cmd{Path: b.entry, Args: []string{b.entry, "-addr", addr}, Dir: "/", SysProcAttr: &syscall.SysProcAttr{
			Chroot: b.now.root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532},
		}}
	}
	serves(t, addr, cmd)
}

// ignore removes what .dockerignore keeps from the build.
func ignore(t *testing.T, dir string) {
	t.Helper()
	for pattern := range strings.FieldsSeq(cookbook(t, "docker/.dockerignore")) {
		name, anywhere := strings.CutPrefix(pattern, "**/")
		where := " -maxdepth 1"
		if anywhere {
			where = ""
		}
		shell(t, dir, "find ."+where+" -name '"+name+"' -prune -exec rm -r {} +")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".[eg]*")); len(left) > 0 {
		t.Errorf("the image would contain %q", left)
	}
}

// builder is the state after some instructions of a Dockerfile.
type builder struct {
	t       *testing.T
	project string // the folder that is built
	stages  map[string]*stage
	now     *stage
	entry   string
}

type stage struct{ base, root, dir string }

func (b *builder) do(instruction, rest string) {
	b.t.Helper()
	args := strings.Fields(rest)
	switch instruction {
	case "FROM":
		b.now = &stage{args[0], b.t.TempDir(), "/"}
		if len(args) == 3 {
			b.stages[args[2]] = b.now
		}
	case "WORKDIR":
		b.now.dir = rest
		shell(b.t, "/", "mkdir -p "+b.now.root+rest)
	case "COPY":
		b.copy(args)
	case "RUN":
		shell(b.t, b.now.root+b.now.dir, rest)
	case "EXPOSE":
	case "ENTRYPOINT":
		b.entry = find(b.t, `^\["(.*)"\]$`, rest)
	default:
		b.t.Fatalf("%s %s: the test does not know that", instruction, rest)
	}
}

func (b *builder) copy(args []string) {
	b.t.Helper()
	from := b.project
	if name, ok := strings.CutPrefix(args[0], "--from="); ok {
		from, args = b.stages[name].root, args[1:]
	}
	last := len(args) - 1
	to := args[last]
	if !path.IsAbs(to) {
		to = path.Join(b.now.dir, to)
	}
	for _, name := range args[:last] {
		shell(b.t, from, "cp -r ./"+name+" "+b.now.root+to)
	}
}

// TestProbesOfTheGuide reads the manifest with the field names of Kubernetes' PodSpec
// and Probe (core/v1), and sends the requests of the probes to an app.
func TestProbesOfTheGuide(t *testing.T) {
	type probe struct {
		HTTPGet struct {
			Path string
			Port int
		} `yaml:"httpGet"`
		PeriodSeconds int `yaml:"periodSeconds"`
	}
	var pod struct {
		Spec struct {
			Grace      int `yaml:"terminationGracePeriodSeconds"`
			Containers []struct {
				Name, Image string
				Ports       []struct {
					ContainerPort int `yaml:"containerPort"`
				}
				Liveness  probe `yaml:"livenessProbe"`
				Readiness probe `yaml:"readinessProbe"`
			}
		}
	}
	manifest := yaml.NewDecoder(strings.NewReader(block(t, "health.md", "yaml")))
	manifest.KnownFields(true)
	if err := manifest.Decode(&pod); err != nil {
		t.Fatal(err)
	}
	app := nextrush.New()
	if err := app.Register(health.New()); err != nil {
		t.Fatal(err)
	}
	addr := serveApp(t, app)
	container := pod.Spec.Containers[0]
	for _, p := range []probe{container.Liveness, container.Readiness} {
		res, err := http.Get("http://" + addr + p.HTTPGet.Path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK || p.HTTPGet.Port != container.Ports[0].ContainerPort {
			t.Errorf("%+v: %d", p, res.StatusCode)
		}
	}
	if code := block(t, "health.md", "go"); pod.Spec.Grace != 40 || container.Readiness.PeriodSeconds >= 10 ||
		!strings.Contains(code, "ShutdownTimeout: 30 *") || !strings.Contains(code, "DrainDelay: 10 *") || !strings.Contains(code, `":3000"`) {
		t.Errorf("the times or ports of manifest and program do not go together:\n%s", code)
	}
}
