// Package eventstream writes server-sent events (WHATWG HTML §9.2).
package eventstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Encode is an event; what is empty is left out. An id or name with a line break is an
// error.
func Encode(id, name string, data any, retry time.Duration) ([]byte, error) {
	if strings.ContainsAny(id, "\r\n\x00") || strings.ContainsAny(name, "\r\n") {
		return nil, fmt.Errorf("line break in id %q or name %q", id, name)
	}
	t, err := text(data)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	if retry > 0 {
		fmt.Fprintf(&b, "retry: %d\n", retry.Milliseconds())
	}
	writeLines(&b, "data: ", t)
	return b.Bytes(), nil
}

// Comment is text that clients ignore.
func Comment(text string) []byte {
	var b bytes.Buffer
	writeLines(&b, ": ", text)
	return b.Bytes()
}

// text is data as it is sent: strings and bytes as they are, anything else as JSON.
func text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode JSON: %w", err)
	}
	return string(b), nil
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// writeLines puts the prefix before each line, and an empty line at the end.
func writeLines(b *bytes.Buffer, prefix, text string) {
	b.Grow(len(prefix) + len(text) + 2)
	if strings.ContainsAny(text, "\r\n") {
		text = lineBreaks.Replace(text)
	}
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(prefix)
		b.WriteString(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}
