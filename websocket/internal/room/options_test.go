package room

import (
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/history"
)

func TestTheLongestPatternWins(t *testing.T) {
	kinds := func(messages int) Options[int] { return Options[int]{Limits: history.Limits{Messages: messages}} }
	rs, err := New[int](map[string]Options[int]{"*": kinds(1), "a*": kinds(2), "ab*": kinds(3), "abc": kinds(4)}, nil, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for room, want := range map[string]int{"z": 1, "a": 2, "ab": 3, "abc": 4, "abcd": 3} {
		if got := rs.Of(room).Limits.Messages; got != want {
			t.Errorf("%s has %d, want %d", room, got, want)
		}
	}
}
