// Command cluster is a chat on three nodes, each a process of its own, behind a balancer.
// The page shows which node you are on, and kills it: nothing that was said is lost.
//
//	go run ./examples/cluster
//	# then open http://localhost:3000 in two windows
//
// No server has to be installed: the nodes have NATS in them.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	addr := flag.String("addr", ":3000", "address of the balancer")
	name := flag.String("name", "", "be the node of that name, as the balancer starts it")
	peers := flag.String("peers", "", "addresses where nodes meet, separated by commas; this node's is the first")
	flag.Parse()
	run := func() error { return balance(*addr, interrupted()) }
	if *name != "" {
		run = func() error { return serve(*name, *addr, strings.Split(*peers, ",")) }
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func interrupted() <-chan os.Signal {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	return stop
}

func serve(name, addr string, peers []string) error {
	app, err := newApp(name, peers)
	if err != nil {
		return err
	}
	if err := app.Listen(addr); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
