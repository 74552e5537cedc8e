package loop

import (
	"testing"
	"testing/synctest"
)

// What runs for a connection that has just left, such as its OnClose, may start the
// monitor when nothing will wake it any more.
func TestMonitorThatStartsAfterTheLastSocketEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		l.Add()
		l.Remove()
		<-l.last // as a monitor before it would
		l.startMonitor()
		synctest.Wait()
		if l.monitoring.Load() {
			t.Error("it waits for time to pass")
		}
	})
}
