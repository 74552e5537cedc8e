package jsonschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Declarations are TypeScript interfaces of the components.
func (g *Generator) Declarations() string {
	var b strings.Builder
	for _, c := range g.list {
		fmt.Fprintf(&b, "\nexport interface %s {\n", c.name)
		for _, m := range g.members(c.schema, c.keys) {
			fmt.Fprintf(&b, "  %s;\n", m)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// members are the properties of an object, in the order of keys.
func (g *Generator) members(s Schema, keys []string) (list []string) {
	required, _ := s["required"].([]string)
	for _, key := range keys {
		optional := "?"
		if slices.Contains(required, key) {
			optional = ""
		}
		property := s["properties"].(Schema)[key].(Schema)
		list = append(list, Literal(key)+optional+": "+g.TypeScript(property))
	}
	return list
}

// TypeScript is the type of what a schema admits.
func (g *Generator) TypeScript(s Schema) string {
	if ref, ok := s["$ref"].(string); ok {
		return strings.TrimPrefix(ref, g.prefix)
	}
	if values, ok := s["enum"].([]any); ok {
		return union(values, Literal)
	}
	if value, ok := s["const"]; ok {
		return Literal(value)
	}
	switch kind := s["type"].(type) {
	case string:
		return g.ofType(kind, s)
	case []string:
		return union(kind, func(kind string) string { return g.ofType(kind, s) })
	}
	for _, word := range []string{"allOf", "anyOf"} {
		if parts, ok := s[word].([]any); ok {
			return union(parts, func(part any) string { return g.TypeScript(part.(Schema)) })
		}
	}
	return "unknown"
}

func (g *Generator) ofType(kind string, s Schema) string {
	switch kind {
	case "integer":
		return "number"
	case "array":
		return "Array<" + g.TypeScript(s["items"].(Schema)) + ">"
	case "object":
		if values, ok := s["additionalProperties"].(Schema); ok {
			return "Record<string, " + g.TypeScript(values) + ">"
		}
		properties, _ := s["properties"].(Schema)
		if len(properties) == 0 {
			return "Record<string, never>"
		}
		keys := slices.Sorted(maps.Keys(properties))
		return "{ " + strings.Join(g.members(s, keys), "; ") + " }"
	}
	return kind
}

func union[T any](parts []T, text func(T) string) string {
	var list []string
	for _, part := range parts {
		if t := text(part); !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	return strings.Join(list, " | ")
}

// Literal writes a value as JSON, and so as TypeScript.
func Literal(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "unknown"
	}
	return strings.TrimSpace(b.String())
}
