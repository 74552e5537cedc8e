package events_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/events"
)

type brokenLog struct{ slog.Handler }

func (h brokenLog) Handle(context.Context, slog.Record) error { panic("the log is full") }

func TestALogHandlerThatPanicsEndsNeitherTheQueueNorTheProcess(t *testing.T) {
	bus := events.New()
	app := nextrush.New(nextrush.Options{Logger: slog.New(brokenLog{slog.Default().Handler()})})
	app.Register(bus)
	got := make(chan int, 2)
	events.On(bus, func(_ context.Context, n int) error {
		got <- n
		return errors.New("no")
	})
	for n := range 2 {
		if err := events.EmitAsync(t.Context(), bus, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := bus.Stop(t.Context()); err != nil || len(got) != 2 {
		t.Errorf("%v, %d events handled", err, len(got))
	}
}
