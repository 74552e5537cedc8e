package main

import (
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

func TestEcho(t *testing.T) {
	s := nextrushtest.New(t, newApp()).Dial("/echo")
	s.Expect("Welcome!")
	s.Send("hi")
	s.Expect("Echo: hi")
}
