package bind

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

type strictOrder struct {
	Name  string `json:"name"`
	Lines []struct {
		N int `json:"n"`
	} `json:"lines"`
	Meta map[string]strictMeta `json:"meta"`
	Next *strictOrder          `json:"next"`
	Any  any                   `json:"any"`
}

type strictMeta struct {
	A int `json:"a"`
}

// What encoding/json does not know, surplus names too.
func FuzzSurplus(f *testing.F) {
	for _, text := range []string{
		`{}`, `null`, `{"name":"a","name":"b"}`, `{"lines":[{"n":1},{"m":2}]}`, `{"meta":{"x":{"b":1}}}`, `{"next":{"next":{"x":[]}}}`,
		`{"any":{"a":{"a":1,"a":2}}}`, `{"NAME":"a"}`, `{"":1}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got strictOrder
		target := Into(&got)
		if wrong, err := target.decodeJSON([]byte(text)); wrong != nil || err != nil {
			if said := malformed([]byte(text), err); said == "" {
				t.Error("no text")
			}
			return
		}
		found := target.surplus([]byte(text))
		if len(found) > maxSurplus {
			t.Errorf("%d are named", len(found))
		}
		strict := json.NewDecoder(bytes.NewReader([]byte(text)))
		strict.DisallowUnknownFields()
		err := strict.Decode(new(strictOrder))
		if err != nil && strings.Contains(err.Error(), "unknown field") && len(found) == 0 {
			t.Errorf("%s: nothing is found, but %v", text, err)
		}
	})
}
