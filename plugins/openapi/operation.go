package openapi

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/nextrush/nextrush"
)

// template31 writes a route's path as OpenAPI has it, and lists its parameters.
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

func operation(s *schemas, rt nextrush.RouteInfo, names []string) *openapi3.Operation {
	op := cmp.Or(rt.Operation, &nextrush.Operation{})
	o := &openapi3.Operation{
		OperationID: op.ID, Summary: op.Summary, Description: op.Description,
		Tags: op.Tags, Deprecated: op.Deprecated, Responses: &openapi3.Responses{},
	}
	var in input
	if op.In != nil {
		in = s.input(op.In)
	}
	o.Parameters = parameters(in.parameters, names)
	o.RequestBody = in.body
	success(s, o, op)
	for _, code := range errorsOf(op, in) {
		o.Responses.Set(strconv.Itoa(code), s.problem(code))
	}
	return o
}

// parameters are those of the input; what the path has beyond them are strings.
func parameters(of []*openapi3.Parameter, names []string) openapi3.Parameters {
	of = slices.DeleteFunc(of, func(p *openapi3.Parameter) bool {
		return p.In == "path" && !slices.Contains(names, p.Name)
	})
	for _, name := range names {
		if !slices.ContainsFunc(of, func(p *openapi3.Parameter) bool { return p.In == "path" && p.Name == name }) {
			of = append(of, openapi3.NewPathParameter(name).WithSchema(openapi3.NewStringSchema()))
		}
	}
	var refs openapi3.Parameters
	for _, p := range of {
		refs = append(refs, &openapi3.ParameterRef{Value: p})
	}
	return refs
}

func success(s *schemas, o *openapi3.Operation, op *nextrush.Operation) {
	status := op.SuccessStatus()
	text := cmp.Or(http.StatusText(status), "Success")
	r := openapi3.NewResponse().WithDescription(text)
	if op.Out != nil && op.Out != reflect.TypeFor[struct{}]() {
		r = r.WithContent(openapi3.NewContentWithSchemaRef(s.output(op.Out), []string{"application/json"}))
	}
	o.Responses.Set(strconv.Itoa(status), &openapi3.ResponseRef{Value: r})
}

// errorsOf lists the statuses that binding answers with, and the handler's own.
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

// problem is an answer of RFC 9457.
func (s *schemas) problem(code int) *openapi3.ResponseRef {
	r := openapi3.NewResponse().WithDescription(cmp.Or(http.StatusText(code), "Error"))
	r = r.WithContent(openapi3.NewContentWithSchemaRef(s.problemSchema(), []string{"application/problem+json"}))
	return &openapi3.ResponseRef{Value: r}
}
