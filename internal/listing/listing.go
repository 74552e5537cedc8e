// Package listing shows the routes of an App, in its log and to nextrush routes.
package listing

import (
	"cmp"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Env names the environment variable with the file into which Listen writes the routes
// instead of listening. What the program prints does not get between them.
const Env = "NEXTRUSH_LIST_ROUTES"

// Route is a route as people look for it.
type Route struct {
	Method     string `json:"method"` // "WS": a socket; "ANY": any
	Host       string `json:"host,omitempty"`
	Path       string `json:"path"`
	Namespace  string `json:"namespace,omitempty"` // of the sockets; empty: the default one
	Middleware int    `json:"middleware"`          // handlers that run before that of the route
	Name       string `json:"name,omitempty"`
	Source     string `json:"source"` // file:line of the registration
}

// Method is what a table has for a method.
func Method(method string, socket bool) string {
	if socket {
		return "WS"
	}
	return cmp.Or(method, "ANY")
}

// Write writes the routes into a file, as JSON.
func Write(file string, routes []Route) error {
	text, err := json.Marshal(routes)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// Read reads what Write has written.
func Read(file string) (routes []Route, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return routes, json.Unmarshal(text, &routes)
}

// columns are those of a table; one that is empty in all rows is left out.
var columns = []struct {
	title string
	cell  func(Route) string
}{
	{"METHOD", func(r Route) string { return r.Method }},
	{"PATH", func(r Route) string { return r.Host + r.Path }},
	{"NAMESPACE", func(r Route) string { return r.Namespace }},
	{"MIDDLEWARE", func(r Route) string { return strconv.Itoa(r.Middleware) }},
	{"NAME", func(r Route) string { return r.Name }},
	{"SOURCE", func(r Route) string { return r.Source }},
}

// Table is the routes with a title over each column.
func Table(routes []Route) string {
	rows := make([][]string, len(routes)+1)
	for _, column := range columns {
		cells, some := []string{column.title}, false
		for _, r := range routes {
			cells = append(cells, column.cell(r))
			some = some || column.cell(r) != ""
		}
		if some {
			for i, cell := range cells {
				rows[i] = append(rows[i], cell)
			}
		}
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		table.Write([]byte(strings.Join(row, "\t") + "\n"))
	}
	table.Flush()
	return text.String()
}
