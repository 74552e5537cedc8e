package redistest

import (
	"os"
	"strings"
	"testing"
)

// Rules are those of the user app in the lines ACL SETUSER of a page, one list a line.
func Rules(t testing.TB, page string) (lines [][]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rules, ok := strings.CutPrefix(line, "ACL SETUSER app "); ok {
			lines = append(lines, strings.Fields(rules))
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s has no rules", page)
	}
	return lines
}

// Denied fails the test if the server has refused somebody a command, a key or a channel.
func (s *Server) Denied() {
	s.t.Helper()
	if answer := s.ask("ACL LOG"); !strings.HasPrefix(answer, "*0") {
		s.t.Errorf("%s has been refused: %q", s.Addr(), answer)
	}
}
