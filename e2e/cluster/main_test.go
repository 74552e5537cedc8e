// Package cluster has nodes that share a broker go through what befalls them in
// production: servers are killed, stopped and moved, connections are held and cut. What
// clients have got is compared with what was sent.
//
// With CHAOS=full, which make chaos sets, all goes on for as long as it can hurt; without
// it for as long as make test can wait.
package cluster

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/nextrush/nextrush/internal/leak"
)

// asNode makes the test's own program a node, with a broker of that URL, until its input
// ends.
const asNode = "CHAOS_NODE"

func TestMain(m *testing.M) {
	goredis.SetLogger(new(logging.VoidLogger)) // of connections that fail, which is what is wanted
	switch url, server := os.Getenv(asNode), os.Getenv(asNATS); {
	case url != "":
		exitOn(beNode(url))
	case server != "":
		exitOn(beNATS(server))
	default:
		flag.Set("test.parallel", "5") // they wait more than they work
		leak.Main(m)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func beNode(url string) error {
	n, err := newNode(url)
	if err != nil {
		return err
	}
	fmt.Println(n.addr())
	io.Copy(io.Discard, os.Stdin)
	n.close()
	return nil
}

func full() bool { return os.Getenv("CHAOS") == "full" }

// often is how much of something there is, in full and otherwise.
func often[T any](all, short T) T {
	if full() {
		return all
	}
	return short
}

// beside has a test run beside others, unless its figures are wanted.
func beside(t *testing.T) {
	if !full() {
		t.Parallel()
	}
}

// patience is how long something may take that is to happen.
const patience = 60 * time.Second

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for over := time.Now().Add(patience); !ok(); pause(t, 10*time.Millisecond) {
		if time.Now().After(over) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// pause lets time pass in which load runs or a fault lasts.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	if t.Context().Err() != nil {
		t.FailNow()
	}
}
