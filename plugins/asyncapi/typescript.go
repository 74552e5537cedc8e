package asyncapi

import (
	"fmt"
	"strings"

	"github.com/nextrush/nextrush/internal/jsonschema"
)

// declarations returns an interface for each struct, and one with the events of every
// channel in both directions. The structs have the names that document gave them.
func (p *Plugin) declarations(types *jsonschema.Generator) string {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s %s: events of its WebSockets\n", oneLine(p.opts.Title), oneLine(p.opts.Version))
	b.WriteString(types.Declarations())
	b.WriteString("\nexport interface Channels {\n")
	for _, ch := range p.channels {
		text, _ := address(ch.Path)
		fmt.Fprintf(&b, "  %s: {\n", jsonschema.Literal(text))
		receive.declare(&b, "clientToServer", ch.Receives, types)
		send.declare(&b, "serverToClient", ch.Sends, types)
		b.WriteString("  };\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (w way) declare(b *strings.Builder, name string, messages []Message, types *jsonschema.Generator) {
	fmt.Fprintf(b, "    %s: {\n", name)
	for _, m := range messages {
		m := m.message()
		answer := "void"
		if m.out != nil {
			answer = "Promise<" + types.TypeScript(types.Of(m.out, w.reply)) + ">"
		}
		data := types.TypeScript(types.Of(m.in, w.message))
		fmt.Fprintf(b, "      %s: (data: %s) => %s;\n", jsonschema.Literal(m.name), data, answer)
	}
	b.WriteString("    };\n")
}
