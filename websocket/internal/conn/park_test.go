package conn

import "testing"

// Two connections of one client want to go on, and one has found the connection parked
// before the other has taken it: that one goes on, whatever the first says that it has.
func TestOneThatCameTooLateEndsNothing(t *testing.T) {
	c := &Conn{phase: Open, ending: &notEnding}
	c.Keep()
	if turn, err := c.mayResume(99, new(Conn)); err != errRaced || turn != 0 || c.phase != Open {
		t.Errorf("turn %d, error %v, phase %v", turn, err, c.phase)
	}
}
