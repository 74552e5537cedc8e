package websocket

import (
	"testing"
	"testing/synctest"
)

// What runs for a socket that has just left, such as its OnClose, may start the
// monitor when nothing will wake it any more.
func TestMonitorThatStartsAfterTheLastSocketEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.add()
		e.remove()
		<-e.last // as a monitor before it would
		e.startMonitor()
		synctest.Wait()
		if e.monitoring.Load() {
			t.Error("it waits for time to pass")
		}
	})
}
