package asyncapi

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// declarations are an interface for each struct, and one with the events of every
// channel in both directions. document has named the structs.
func (p *Plugin) declarations(types *types) string {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s %s: events of its WebSockets\n", oneLine(p.opts.Title), oneLine(p.opts.Version))
	for _, t := range types.order {
		fmt.Fprintf(&b, "\nexport interface %s {\n", types.names[t])
		for _, f := range properties(t) {
			optional := ""
			if f.optional {
				optional = "?"
			}
			fmt.Fprintf(&b, "  %s%s: %s;\n", strconv.Quote(f.name), optional, types.union(f))
		}
		b.WriteString("}\n")
	}
	b.WriteString("\nexport interface Channels {\n")
	for _, ch := range p.channels {
		text, _ := address(ch.Path)
		fmt.Fprintf(&b, "  %s: {\n", strconv.Quote(text))
		types.side(&b, "clientToServer", ch.Receives)
		types.side(&b, "serverToClient", ch.Sends)
		b.WriteString("  };\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (ts *types) side(b *strings.Builder, name string, messages []Message) {
	fmt.Fprintf(b, "    %s: {\n", name)
	for _, m := range messages {
		m := m.message()
		answer := "void"
		if m.out != nil {
			answer = "Promise<" + ts.typeScript(m.out) + ">"
		}
		fmt.Fprintf(b, "      %s: (data: %s) => %s;\n", strconv.Quote(m.name), ts.typeScript(m.in), answer)
	}
	b.WriteString("    };\n")
}

// union is the type of a property, of its values where they are listed.
func (ts *types) union(p property) string {
	values := strings.Fields(p.rules["oneof"])
	if len(values) == 0 || p.t.Kind() != reflect.String {
		return ts.typeScript(p.t)
	}
	for i, v := range values {
		values[i] = strconv.Quote(v)
	}
	return strings.Join(values, " | ")
}

func (ts *types) typeScript(t reflect.Type) string {
	switch {
	case opaque(t):
		return "unknown"
	case textual(t):
		return "string"
	case isStruct(t):
		return ts.name(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return ts.typeScript(t.Elem()) + " | null"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return "string"
		}
		return "Array<" + ts.typeScript(t.Elem()) + ">"
	case reflect.Map:
		return "Record<string, " + ts.typeScript(t.Elem()) + ">"
	case reflect.Interface:
		return "unknown"
	}
	return "number"
}
