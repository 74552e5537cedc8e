package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestClientsOfHTTP(t *testing.T) {
	onBothServers(t, func(t *testing.T, e *echo) {
		e.answersCurl(t, e.addr)
		e.answersCurlItself(t)
		e.answersScripts(t, e.addr)
		e.answersH2load(t)
	})
}

// answersCurl runs curl against the server, or a proxy before it. A proxy may send HTTP/1.0
// on as HTTP/1.1.
func (e *echo) answersCurl(t *testing.T, addr string) {
	large, huge := strings.Repeat("0123456789", 300_000), strings.Repeat("x", bodyLimit*3/2)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "large"), large)
	write(t, filepath.Join(dir, "huge"), huge)
	names := strings.NewReplacer("URL", "http://"+addr, "LARGE", filepath.Join(dir, "large"), "HUGE", filepath.Join(dir, "huge"), "STATUS", "-o "+os.DevNull+" -w %{http_code}")
	said := func(method, target, body string) string { return understood(method, target, 1, "", body) + "\n" }
	said0 := func(method, target, body string) string {
		s := understood(method, target, 0, "", body) + "\n"
		if addr != e.addr {
			s = said(method, target, body)
		}
		return s
	}
	var many []string
	for i := range 40 {
		many = append(many, said("GET", fmt.Sprintf("/%d", i), ""))
	}
	slices.Sort(many)
	for _, c := range []struct{ line, stdin, want string }{
		{line: "URL/a%2Fb?c=%20&d", want: said("GET", "/a%2Fb?c=%20&d", "")},
		{line: "-H X-Mark:m URL/a", want: understood("GET", "/a", 1, "m", "") + "\n"},
		{line: "-I -o " + os.DevNull + " -w %header{x-said} URL/a", want: understood("HEAD", "/a", 1, "", "")},
		{line: "--http1.0 URL/a", want: said0("GET", "/a", "")},
		{line: "--http1.0 -d hello URL/a", want: said0("POST", "/a", "hello")},
		{line: "--http1.0 -H Connection:keep-alive -w %{num_connects} URL/a URL/b", want: said0("GET", "/a", "") + "1" + said0("GET", "/b", "") + "0"},
		{line: "-d hello URL/a", want: said("POST", "/a", "hello")},
		{line: "-X DELETE -d hello URL/a", want: said("DELETE", "/a", "hello")},
		{line: "-H Transfer-Encoding:chunked -d hello URL/a", want: said("POST", "/a", "hello")},
		{line: "-T - URL/a", stdin: large, want: said("PUT", "/a", large)},
		{line: "-T - -H Expect: URL/a", stdin: large, want: said("PUT", "/a", large)},
		{line: "-T - URL/a", want: said("PUT", "/a", "")},
		{line: "--expect100-timeout 60 -H Expect:100-continue --data-binary @LARGE URL/a", want: said("POST", "/a", large)},
		{line: "--expect100-timeout 60 -H Expect:100-continue -T - URL/a", stdin: large, want: said("PUT", "/a", large)},
		{line: "-w %{num_connects} -d x URL/a URL/b URL/c", want: said("POST", "/a", "x") + "1" + said("POST", "/b", "x") + "0" + said("POST", "/c", "x") + "0"},
		{line: "-w %{num_connects} -H Connection:close URL/a URL/b", want: said("GET", "/a", "") + "1" + said("GET", "/b", "") + "1"},
		{line: "--limit-rate 30M URL/file", want: string(e.file)},
		{line: "-r 5-9 URL/file", want: string(e.file[5:10])},
		{line: "-r -7 URL/file", want: string(e.file[fileSize-7:])},
		{line: "-C 1000000 -o - URL/file", want: string(e.file[1_000_000:])},
		{line: "STATUS,%{size_download} -r 0-3 URL/file", want: "206,4"},
		{line: "STATUS -r 99999999- URL/file", want: "416"},
		{line: "-Z --parallel-max 8 URL/[0-39]", want: strings.Join(many, "")},
		{line: "STATUS -T - URL/a", stdin: huge, want: "413"},
		{line: "STATUS -H Expect: --data-binary @HUGE URL/a", want: "413"},
	} {
		got, err := curl(names.Replace(c.line), c.stdin)
		if addr != e.addr {
			got = strings.ReplaceAll(got, ` 0 ""`, ` 1 ""`)
		}
		if addr != e.addr && c.want == "413" && err != nil && strings.Contains(err.Error(), "Connection reset by peer") {
			continue // proxies may break off a client that still sends what nobody takes
		}
		if err != nil || got != c.want {
			t.Errorf("curl %s: %v\n%.300q, want\n%.300q", c.line, err, got, c.want)
		}
	}
}

// curl returns what it prints. The answers to requests that are sent at once have any order.
func curl(line, stdin string) (string, error) {
	cmd := exec.Command("curl", append([]string{"-sS", "--max-time", "40"}, strings.Fields(line)...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if !strings.HasPrefix(line, "-Z") {
		return string(out), err
	}
	lines := strings.SplitAfter(string(out), "\n")
	slices.Sort(lines)
	return strings.Join(lines, ""), err
}

// answersCurlItself has curl see what many proxies keep to themselves: a trailer, and a
// refusal in the place of 100 Continue.
func (e *echo) answersCurlItself(t *testing.T) {
	out, err := curl("-D - -o "+os.DevNull+" http://"+e.addr+"/trailer", "")
	if _, trailer, _ := strings.Cut(out, "\r\n\r\n"); err != nil || trailer != "X-Sum: done\r\n" {
		t.Errorf("%v, %q", err, out)
	}
	out, err = curl("-o "+os.DevNull+" -w %{http_code},%{size_upload} --expect100-timeout 60 -H Expect:100-continue --data-binary @- http://"+e.addr+"/limited", strings.Repeat("x", 2000))
	if out != "413,0" || err != nil {
		t.Errorf("%v, %q", err, out)
	}
}

// answersScripts runs programs with the HTTP clients of Python and of Node, which use few
// connections.
func (e *echo) answersScripts(t *testing.T, addr string) {
	how, most := "direct", 9
	if addr != e.addr {
		how, most = "proxy", 40
	}
	for _, c := range []struct {
		program, script string
		requests        int
	}{{"python3", "testdata/httpclient.py", 202}, {"node", "testdata/httpclient.mjs", 303}} {
		e.taken()
		if out, err := exec.Command(c.program, c.script, addr, how).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c.program, err, out)
			continue
		}
		if heard, conns := e.taken(); len(heard) != c.requests || conns > most {
			t.Errorf("%s: %d requests on %d connections, want %d on %d", c.program, len(heard), conns, c.requests, most)
		}
		e.loses(t, "/events", "/endless", "/cut/fin", "/cut/rst")
	}
}

// answersH2load has h2load pipeline requests.
func (e *echo) answersH2load(t *testing.T) {
	body := filepath.Join(t.TempDir(), "body")
	write(t, body, strings.Repeat("x", 3000))
	for _, more := range [][]string{nil, {"-d", body}} {
		e.taken()
		args := append([]string{"--h1", "-n", "2000", "-c", "8", "-m", "16", "http://" + e.addr + "/a"}, more...)
		out, err := exec.Command("h2load", args...).CombinedOutput()
		const want = "2000 succeeded, 0 failed, 0 errored, 0 timeout"
		if heard, conns := e.taken(); err != nil || !bytes.Contains(out, []byte(want)) || len(heard) != 2000 || conns != 8 {
			t.Errorf("h2load %q: %v, %d requests on %d connections\n%s", more, err, len(heard), conns, out)
		}
	}
}
