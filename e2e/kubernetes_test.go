package e2e

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/websocket"
)

// What the manifest of the cookbook uses of the API of Kubernetes, by its names: apps/v1,
// core/v1 and policy/v1.
type (
	kind struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
	}
	selector struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	probe struct {
		HTTPGet          struct{ Path, Port string } `yaml:"httpGet"`
		PeriodSeconds    int                         `yaml:"periodSeconds"`
		FailureThreshold int                         `yaml:"failureThreshold"`
	}
	container struct {
		Name, Image string
		Args        []string
		Ports       []struct {
			Name          string
			ContainerPort int `yaml:"containerPort"`
		}
		Liveness        probe `yaml:"livenessProbe"`
		Readiness       probe `yaml:"readinessProbe"`
		Resources       struct{ Requests, Limits map[string]string }
		SecurityContext struct {
			RunAsNonRoot bool `yaml:"runAsNonRoot"`
			RunAsUser    int  `yaml:"runAsUser"`
			ReadOnlyRoot bool `yaml:"readOnlyRootFilesystem"`
			Escalation   bool `yaml:"allowPrivilegeEscalation"`
			Capabilities struct{ Drop []string }
		} `yaml:"securityContext"`
	}
	deployment struct {
		kind `yaml:",inline"`
		Spec struct {
			Replicas int
			Selector selector
			Strategy struct {
				RollingUpdate struct {
					MaxUnavailable int `yaml:"maxUnavailable"`
					MaxSurge       int `yaml:"maxSurge"`
				} `yaml:"rollingUpdate"`
			}
			Template struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []container
				}
			}
		}
	}
	service struct {
		kind `yaml:",inline"`
		Spec struct {
			Selector map[string]string
			Ports    []struct {
				Name       string
				Port       int
				TargetPort string `yaml:"targetPort"`
			}
		}
	}
	budget struct {
		kind `yaml:",inline"`
		Spec struct {
			MinAvailable int `yaml:"minAvailable"`
			Selector     selector
		}
	}
)

// manifest reads the file. A field that the types do not have fails the test.
func manifest(t *testing.T) (d deployment, s service, b budget) {
	t.Helper()
	text := yaml.NewDecoder(strings.NewReader(cookbook(t, "kubernetes/app.yaml")))
	text.KnownFields(true)
	for _, v := range []any{&d, &s, &b} {
		if err := text.Decode(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := text.Decode(new(any)); err != io.EOF {
		t.Errorf("there is more than the test reads: %v", err)
	}
	return d, s, b
}

func TestTheManifestOfTheCookbookGoesTogether(t *testing.T) {
	d, s, b := manifest(t)
	for got, want := range map[kind]string{d.kind: "apps/v1 Deployment", s.kind: "v1 Service", b.kind: "policy/v1 PodDisruptionBudget"} {
		if got.APIVersion+" "+got.Kind != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	pod := d.Spec.Template
	for _, labels := range []map[string]string{d.Spec.Selector.MatchLabels, s.Spec.Selector, b.Spec.Selector.MatchLabels} {
		if len(labels) == 0 || !maps.Equal(labels, pod.Metadata.Labels) {
			t.Errorf("%v does not select %v", labels, pod.Metadata.Labels)
		}
	}
	c := pod.Spec.Containers[0]
	port := c.Ports[0].Name
	if c.Ports[0].ContainerPort != 3000 || s.Spec.Ports[0].TargetPort != port || c.Liveness.HTTPGet.Port != port || c.Readiness.HTTPGet.Port != port {
		t.Errorf("the ports do not go together: %+v, %+v", c, s.Spec.Ports)
	}
	drain, grace := drainOf(t, c), time.Duration(pod.Spec.Grace)*time.Second
	if toNotice := time.Duration(c.Readiness.PeriodSeconds*c.Readiness.FailureThreshold) * time.Second; drain < 2*toNotice {
		t.Errorf("it takes %s to notice a drain of %s", toNotice, drain)
	}
	if stop := drain + 20*time.Second; grace <= stop || !strings.Contains(cookbook(t, "server/main.go"), "*drain + 20*time.Second") {
		t.Errorf("a Pod is killed after %s, and may take %s", grace, stop)
	}
	if b.Spec.MinAvailable >= d.Spec.Replicas {
		t.Errorf("no node can be drained: %d of %d Pods are to stay", b.Spec.MinAvailable, d.Spec.Replicas)
	}
	if c.Resources.Limits["memory"] == "" || c.SecurityContext.RunAsUser == 0 || c.SecurityContext.Escalation {
		t.Errorf("%+v", c)
	}
}

func drainOf(t *testing.T, c container) time.Duration {
	t.Helper()
	drain, err := time.ParseDuration(find(t, `-drain (\S+)`, strings.Join(c.Args, " ")))
	if err != nil {
		t.Fatal(err)
	}
	return drain
}

// cluster does what Kubernetes does for the manifest: the kubelet asks the probes, and
// the Service gives new connections to the Pods that are ready.
type cluster struct {
	t   *testing.T
	bin string
	c   container

	mu    sync.Mutex // guards what follows
	ready []string   // addresses
	next  int
}

// pod is a process instead of a container.
type pod struct {
	addr            string
	stop            func() error
	ready, draining chan struct{} // closed when the kubelet sees that
}

// serve is the Service.
func (k *cluster) serve(ln net.Listener) {
	for {
		in, err := ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", k.pick())
		if err != nil {
			k.t.Error("the Service sends to a Pod that has ended:", err)
			in.Close()
			continue
		}
		go swift(out.(*net.TCPConn), in.(*net.TCPConn))
		go swift(in.(*net.TCPConn), out.(*net.TCPConn))
	}
}

func (k *cluster) pick() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next++
	return k.ready[k.next%len(k.ready)]
}

func (k *cluster) set(addr string, ready bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ready {
		k.ready = append(k.ready, addr)
		return
	}
	k.ready = slices.DeleteFunc(k.ready, func(a string) bool { return a == addr })
}

// start runs a Pod and returns when it is ready.
func (k *cluster) start() *pod {
	k.t.Helper()
	p := &pod{addr: freeport.Address(k.t), ready: make(chan struct{}), draining: make(chan struct{})}
	args := adapt(k.t, strings.Join(k.c.Args, " "), "private", "private,loopback", "10s", "2s")
	p.stop = launch(k.t, p.addr, exec.Command(k.bin, append(strings.Fields(args), "-addr", p.addr)...))
	if status, err := get(p.addr + k.c.Liveness.HTTPGet.Path); status != http.StatusOK {
		k.t.Errorf("liveness: %d, %v", status, err)
	}
	go k.watch(p)
	heardWithin(k.t, p.ready, "Pod that is ready")
	return p
}

// watch is the kubelet, until the Pod drains.
func (k *cluster) watch(p *pod) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ready := false
	for range tick.C {
		status, err := get(p.addr + k.c.Readiness.HTTPGet.Path)
		switch {
		case err != nil && !ready:
			k.t.Error("a Pod cannot be asked:", err)
			return
		case status == http.StatusOK && !ready:
			ready = true
			k.set(p.addr, true)
			close(p.ready)
		case status != http.StatusOK && ready:
			k.set(p.addr, false)
			if status == http.StatusServiceUnavailable {
				close(p.draining)
			}
			return
		}
	}
}

func get(address string) (status int, err error) {
	res, err := http.Get("http://" + address)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}

// end sends SIGTERM, and waits until the Pod has ended, as long as the grace period is.
func (k *cluster) end(p *pod, grace time.Duration) {
	k.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.stop() }()
	select {
	case <-p.draining:
	case err := <-ended:
		k.t.Fatal("the Pod ends before its readiness fails:", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			k.t.Error("the Pod ends with", err)
		}
	case <-time.After(grace):
		k.t.Error("the Pod would be killed")
	}
}

// TestAnUpdateInKubernetesLosesNoRequest also for those that send on kept connections.
func TestAnUpdateInKubernetesLosesNoRequest(t *testing.T) {
	d, _, _ := manifest(t)
	k := &cluster{t: t, bin: build(t, "cookbook/server"), c: d.Spec.Template.Spec.Containers[0]}
	pods := []*pod{k.start(), k.start()}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go k.serve(ln)
	l := newLoad("http://" + ln.Addr().String())
	for _, old := range pods {
		l.more(100)
		s, err := websocket.Dial(t.Context(), "ws://"+old.addr+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		k.start()
		k.end(old, time.Duration(d.Spec.Template.Spec.Grace)*time.Second)
		if m, err := s.Receive(t.Context()); err != nil || !strings.Contains(m.Text(), "visitor") {
			t.Errorf("the socket: %q, %v", m.Text(), err)
		}
		var closed *websocket.CloseError
		if _, err := s.Receive(t.Context()); !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
			t.Errorf("the socket ends with %v", err)
		}
	}
	l.more(100)
	l.end(t)
}
