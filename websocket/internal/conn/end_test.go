package conn

import (
	"io"
	"testing"
	"time"
)

func TestEndingTellsHowAConnectionWasLost(t *testing.T) {
	for _, c := range []struct {
		name         string
		e            ending
		open, unsent bool
		want         End
	}{
		{"open", ending{}, true, false, End{Code: abnormalClosure, Err: io.EOF}},
		{"after our close frame", ending{End: End{Code: normalClosure}, sent: true}, false, false, End{Code: normalClosure, Err: io.EOF}},
		{"after both", ending{End: End{Code: normalClosure, Remote: true}, sent: true, received: true}, false, true, End{Code: normalClosure, Remote: true}},
		{"before the last messages left", ending{End: End{Code: goingAway, Reason: "r"}, sent: true}, false, true, End{Code: abnormalClosure, Err: io.EOF}},
		{"after a breach", ending{End: End{Code: protocolError}, sent: true, linger: true}, false, true, End{Code: protocolError}},
	} {
		if c.e.lost(io.EOF, c.open, c.unsent); c.e.End != c.want {
			t.Errorf("%s: %+v", c.name, c.e.End)
		}
	}
}

func TestEndingWaitsForThePeer(t *testing.T) {
	e := ending{}
	if e.due() != never || e.await(10, -1) || e.due() != never {
		t.Error("without a time-out")
	}
	if !e.await(10, time.Minute) || e.due() != 10+int64(time.Minute) {
		t.Error("with a time-out")
	}
	if e.await(20, time.Minute) {
		t.Error("a second time")
	}
	if e.linger = true; !e.await(20, time.Minute) || e.due() != 20+int64(lingerTime) {
		t.Error("lingering ends earlier")
	}
	if e.discard(lingerBytes) || !e.discard(1) {
		t.Error("so does too much that is dropped")
	}
}

func TestScheduleRunsOnce(t *testing.T) {
	s := schedule{handling: true}
	if s.note(workRead) || s.note(workEnd) {
		t.Error("nothing is read before it has begun, and nothing ends while the handler runs")
	}
	if !s.begin() || s.begin() || !s.note(0) || s.note(workError) {
		t.Error("one run is enough")
	}
	if todo := s.next(nil); todo != workRead|workError || !s.holds() {
		t.Errorf("%b", todo)
	}
	s.unhold()
	s.handling = false
	if s.note(0) || s.next(nil) != workEnd || s.next(nil) != 0 || s.state != atRest {
		t.Error("a run goes on until nothing is due")
	}
}
