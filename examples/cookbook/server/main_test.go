package main

import (
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/nextrushtest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestAVisitorLearnsWhoHeIs(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	c.Get("/").WantStatus(200)
	var who string
	if c.Dial("/ws").ExpectEvent("visitor", &who); !strings.Contains(who, " http://") {
		t.Errorf("the server says %q", who)
	}
}
