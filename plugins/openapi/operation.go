package openapi

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/nextrush/nextrush"
)

// template31 returns a route's path as OpenAPI writes it, and its parameters.
func template31(path string) (string, []string) {
	var names []string
	segments := strings.Split(path, "/")
	for i, s := range segments {
		at := strings.IndexAny(s, ":*")
		if at < 0 {
			continue
		}
		names = append(names, s[at+1:])
		segments[i] = s[:at] + "{" + s[at+1:] + "}"
	}
	return strings.Join(segments, "/"), names
}

// server31 returns the server of a route's host, with the parameters as variables.
func server31(host string) object {
	labels, variables := strings.Split(host, "."), object{}
	for i, label := range labels {
		at := strings.IndexAny(label, ":*")
		if at < 0 {
			continue
		}
		name := cmp.Or(label[at+1:], "subdomain")
		labels[i] = label[:at] + "{" + name + "}"
		variables[name] = object{"default": name}
	}
	server := object{"url": "//" + strings.Join(labels, ".")}
	if len(variables) > 0 {
		server["variables"] = variables
	}
	return server
}

func operation(s schemas, rt nextrush.RouteInfo, names []string) object {
	op := cmp.Or(rt.Operation, &nextrush.Operation{})
	o := object{}
	set(o, "operationId", op.ID)
	set(o, "summary", op.Summary)
	set(o, "description", op.Description)
	set(o, "deprecated", op.Deprecated)
	if len(op.Tags) > 0 {
		o["tags"] = op.Tags
	}
	var in input
	if op.In != nil {
		in = s.input(op.In)
	}
	if all := parameters(in.parameters, names); len(all) > 0 {
		o["parameters"] = all
	}
	if in.body != nil {
		o["requestBody"] = in.body
	}
	responses := object{strconv.Itoa(successStatus(op)): s.success(op)}
	for _, code := range errorsOf(op, in) {
		responses[strconv.Itoa(code)] = s.problem(code)
	}
	o["responses"] = responses
	if rt.Host != "" {
		o["servers"] = []object{server31(rt.Host)}
	}
	return o
}

// set sets a member that is not empty.
func set[T comparable](o object, name string, value T) {
	if value != *new(T) {
		o[name] = value
	}
}

// parameters returns the input's, without path parameters that this path does not have,
// and the path's other ones as strings.
func parameters(of []object, names []string) []object {
	of = slices.DeleteFunc(of, func(p object) bool {
		return p["in"] == "path" && !slices.Contains(names, p["name"].(string))
	})
	for _, name := range names {
		if !slices.ContainsFunc(of, func(p object) bool { return p["in"] == "path" && p["name"] == name }) {
			of = append(of, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	return of
}

func (s schemas) success(op *nextrush.Operation) object {
	r := object{"description": cmp.Or(http.StatusText(successStatus(op)), "Success")}
	if op.Out != nil && op.Out != reflect.TypeFor[struct{}]() {
		r["content"] = content("application/json", s.output(op.Out))
	}
	return r
}

// successStatus returns the status of the operation's answer if there is no error.
func successStatus(op *nextrush.Operation) int {
	switch {
	case op.Status != 0:
		return op.Status
	case op.Out == reflect.TypeFor[struct{}]():
		return http.StatusNoContent
	}
	return http.StatusOK
}

// errorsOf lists the statuses of the errors of binding, and the handler's own.
func errorsOf(op *nextrush.Operation, in input) []int {
	codes := slices.Clone(op.Errors)
	if len(in.parameters) > 0 || in.body != nil {
		codes = append(codes, http.StatusBadRequest, http.StatusUnprocessableEntity)
	}
	if in.body != nil {
		codes = append(codes, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// problem returns the response for a problem of RFC 9457.
func (s schemas) problem(code int) object {
	return object{
		"description": cmp.Or(http.StatusText(code), "Error"),
		"content":     content("application/problem+json", s.problemSchema()),
	}
}
