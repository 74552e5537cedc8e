package e2e

import (
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
	"github.com/nextrush/nextrush/plugins/health"
)

// newChat makes a project with the command nextrush that listens on addr.
func newChat(t *testing.T, addr string) (dir string) {
	t.Helper()
	parent := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	shell(t, "..", "go build -o "+parent+"/nextrush ./cmd/nextrush")
	shell(t, parent, "./nextrush new -replace "+root+" example.com/chat")
	dir = filepath.Join(parent, "chat")
	main := filepath.Join(dir, "main.go")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	write(t, main, adapt(t, string(text), ":3000", addr))
	return dir
}

// serves starts the command, gets its page, and fails the test if it does not end well.
func serves(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	stop := launch(t, addr, cmd)
	res, err := http.Get("http://" + addr + "/hello/ann")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); !strings.Contains(string(text), `"ann"`) {
		t.Errorf("%d %q", res.StatusCode, text)
	}
	if err := stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
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

// TestDeploymentOfTheGuide starts a project of the command in the ways of the guide.
func TestDeploymentOfTheGuide(t *testing.T) {
	addr := freeAddress(t)
	dir := newChat(t, addr)
	t.Run("dockerfile", func(t *testing.T) { runDockerfile(t, dir, addr) })
	t.Run("unit", func(t *testing.T) { runUnit(t, dir, addr) })
}

// runUnit has systemd verify the unit, with the line for low ports and beside its socket,
// and runs the command that it starts.
func runUnit(t *testing.T, dir, addr string) {
	shell(t, dir, "go build -o chat .")
	page, err := os.ReadFile("../docs/autotls.md")
	if err != nil {
		t.Fatal(err)
	}
	units := blocks(t, "deployment.md", "ini") // the service, its socket, what the service needs then
	if len(units) != 3 {
		t.Fatalf("deployment.md has %d units", len(units))
	}
	unit := adapt(t, units[0], "/usr/local/bin/chat", dir+"/chat",
		"\n[Install]", find(t, "`(AmbientCapabilities=.*)`", string(page))+"\n\n[Install]")
	file := filepath.Join(dir, "chat.service")
	write(t, file, unit+units[2])
	write(t, filepath.Join(dir, "chat.socket"), units[1])
	// It only warns about settings that it does not know.
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	serves(t, addr, exec.Command(find(t, `(?m)^ExecStart=(.*)$`, unit)))
}

// runDockerfile follows the instructions without Docker, with a folder for each stage, and
// runs the result in a folder that has only the last stage.
func runDockerfile(t *testing.T, dir, addr string) {
	b := &builder{t: t, project: dir, stages: make(map[string]*stage)}
	for line := range strings.SplitSeq(block(t, "deployment.md", "dockerfile"), "\n") {
		if instruction, rest, ok := strings.Cut(line, " "); ok {
			b.do(instruction, rest)
		}
	}
	cmd := exec.Command(b.now.root + b.entry)
	if os.Getuid() == 0 && strings.HasSuffix(b.now.base, ":nonroot") {
		shell(t, "/", "chmod 755 "+b.now.root+" "+path.Dir(b.now.root))
		cmd = &exec.Cmd{Path: b.entry, Args: []string{b.entry}, Dir: "/", SysProcAttr: &syscall.SysProcAttr{
			Chroot: b.now.root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532},
		}}
	}
	serves(t, addr, cmd)
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
