package nats

import (
	"testing"
	"time"
)

func TestTheClockIsThatOfTheServer(t *testing.T) {
	there := time.Now().Add(-24 * time.Hour)
	c := clock{there: there, here: time.Now()}
	if now := c.now(time.Time{}); now.Before(there) || now.After(there.Add(time.Hour)) {
		t.Errorf("it is %v, there %v", now, there)
	}
	later := there.Add(12 * time.Hour)
	if now := c.now(later); !now.Equal(later) {
		t.Errorf("it is %v, when something has been stored at %v", now, later)
	}
}
