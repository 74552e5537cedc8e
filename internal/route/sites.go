package route

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// NotFound is the method of entries for paths without another. No request has it, since
// it has a space.
const NotFound = "not found"

// Sites finds entries by host. It never changes, and is safe from any goroutine.
type Sites[E any] struct {
	own   *Table[E]
	hosts *Table[*site[E]] // nil: no entry has one
}

// site is the entries of a host.
type site[E any] struct {
	*Table[E]
	host *Pattern
}

// BuildSites makes a table of the entries for any host, and one for each pattern of hosts.
func BuildSites[E any](entries []Entry[E]) *Sites[E] {
	var own []Entry[E]
	hosted := make(map[string][]Entry[E])
	for _, e := range entries {
		if e.Host == nil {
			own = append(own, e)
		} else {
			hosted[e.Host.Canonical] = append(hosted[e.Host.Canonical], e)
		}
	}
	s := &Sites[E]{own: Build(own)}
	var hosts []Entry[*site[E]]
	for _, list := range hosted {
		host := list[0].Host
		hosts = append(hosts, Entry[*site[E]]{Method: http.MethodGet, Pattern: host, Value: &site[E]{Build(list), host}})
	}
	if len(hosts) > 0 {
		s.hosts = Build(hosts)
	}
	return s
}

// HaveHosts reports whether At needs to know the host.
func (s *Sites[E]) HaveHosts() bool { return s.hosts != nil }

// At returns where the entries of a request to a host are.
func (s *Sites[E]) At(host string) Place[E] {
	p := Place[E]{own: s.own}
	if s.hosts != nil {
		if site, params, ok := s.hosts.Find(http.MethodGet, HostPath(host)); ok {
			p.host, p.params = site.Table, site.host.hostParams(params)
		}
	}
	return p
}

// Place has the entries of a request's host, which come first, and those for any host.
type Place[E any] struct {
	host   *Table[E] // nil: none
	params Params    // of the host
	own    *Table[E]
}

// Find is Table.Find; the parameters of the host come before those of the path.
func (p Place[E]) Find(method string, path urlpath.Path) (value E, params Params, ok bool) {
	if p.host != nil {
		if value, params, ok = p.host.Find(method, path); ok {
			return value, slices.Concat(p.params, params), true
		}
	}
	return p.own.Find(method, path)
}

// Methods is Table.Methods.
func (p Place[E]) Methods(path urlpath.Path) []string {
	all := p.own.Methods(path)
	if p.host != nil {
		all = append(all, p.host.Methods(path)...)
		slices.Sort(all)
	}
	return slices.Compact(all)
}

// Near returns the clean path, with or without a slash at its end, if that has an entry.
func (p Place[E]) Near(method string, from urlpath.Path) (to urlpath.Path, ok bool) {
	if from.Text == "" || from.Text[0] != '/' {
		return to, false
	}
	clean := path.Clean(from.Text)
	candidates := []string{clean, strings.TrimSuffix(clean, "/") + "/"}
	if strings.HasSuffix(from.Text, "/") {
		slices.Reverse(candidates)
	}
	for _, text := range candidates {
		to := urlpath.Path{Text: text, Held: from.Held}
		if _, _, ok := p.Find(method, to); ok && to != from {
			return to, true
		}
	}
	return to, false
}
