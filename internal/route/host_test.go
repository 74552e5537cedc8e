package route

import (
	"slices"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	var entries []Entry[*Pattern]
	for _, host := range []string{"api.example.com", ":tenant.example.com", "*rest.example.com", "v:major.API.example.com", ":Sub.:zone.test.", "localhost", "127.0.0.1", "*.wild.org"} {
		p, err := ParseHost(host)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, Entry[*Pattern]{Method: "GET", Pattern: p, Value: p})
	}
	table := Build(entries)
	for host, want := range map[string]string{
		"api.example.com":           "api.example.com",
		"API.Example.COM:8080":      "api.example.com",
		"api.example.com.":          "api.example.com",
		"api.example.com.:443":      "api.example.com",
		"acme.example.com":          ":tenant.example.com tenant=acme",
		"Acme.example.com":          ":tenant.example.com tenant=acme",
		"xn--bcher-kva.example.com": ":tenant.example.com tenant=xn--bcher-kva",
		"a.b.example.com":           "*rest.example.com rest=a.b",
		"a.api.example.com":         "*rest.example.com rest=a.api",
		"v2.api.example.com":        "v:major.API.example.com major=2",
		"a.b.test":                  ":Sub.:zone.test. zone=b Sub=a",
		"localhost:3000":            "localhost",
		"127.0.0.1:3000":            "127.0.0.1",
		"x.y.wild.org":              "*.wild.org -=x.y",
		"wild.org":                  "",
		"example.com":               "",
		".example.com":              "",
		"a..example.com":            "",
		"a/b.example.com":           "",
		"a%2fb.example.com":         "",
		"b\u00fccher.example.com":   "",
		"[::1]:3000":                "",
		"::1":                       "",
		"":                          "",
		".":                         "",
		"evil.com":                  "",
		"apiexample.com":            "",
		"api.example.com.evil.net":  "",
	} {
		p, params, ok := table.Find("GET", HostPath(host))
		got := ""
		if ok {
			got = p.Path
			for i, name := range p.Names {
				got += " " + name + "=" + p.hostParams(slices.Clone(params)).At(i)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func TestHostsThatAreRefused(t *testing.T) {
	for host, fix := range map[string]string{
		"":                    "write a host in ASCII",
		"https://example.com": "without scheme, port",
		"example.com:80":      "without scheme, port",
		"example.com/x":       "without scheme, port",
		"b\u00fccher.de":      "in ASCII",
		"a..b":                "write a host",
		"a.*rest.com":         "write a host",
		"*.*.com":             "write a host",
		":a.:a.com":           "comes twice",
		"[::1]":               "write a host",
	} {
		if _, err := ParseHost(host); err == nil || !strings.Contains(err.Error(), fix) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestAPathOnHostsHasTheirParameters(t *testing.T) {
	host, err := ParseHost(":tenant.example.com")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := Parse("/users/:id")
	on, err := p.On(host)
	if err != nil || !slices.Equal(on.Names, []string{"tenant", "id"}) {
		t.Fatal(on, err)
	}
	if path, err := on.Fill([]any{7}); path != "/users/7" {
		t.Error(path, err)
	}
	q, _ := Parse("/:tenant")
	if _, err := q.On(host); err == nil || !strings.Contains(err.Error(), "rename one") {
		t.Error(err)
	}
}
