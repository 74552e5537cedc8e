package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	nodes   = 3
	restart = 5 * time.Second // after a node has ended
)

// balance serves the nodes in turn, and starts them again when they end, until stopped.
func balance(addr string, stop <-chan os.Signal) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	addrs, err := free(2 * nodes)
	if err != nil {
		return err
	}
	pages, peers := addrs[:nodes], addrs[nodes:]
	quit, done := make(chan struct{}), make(chan struct{}, nodes)
	for i := range nodes {
		own := append(peers[i:i+1:i+1], slices.Delete(slices.Clone(peers), i, i+1)...)
		go func() {
			keep(fmt.Sprint("node-", i+1), pages[i], strings.Join(own, ","), quit)
			done <- struct{}{}
		}()
	}
	log.Printf("open http://%s in two windows", strings.Replace(ln.Addr().String(), "[::]", "localhost", 1))
	srv := &http.Server{Handler: balancer(pages), ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(ln)
	<-stop
	close(quit)
	for range nodes {
		<-done
	}
	return srv.Close()
}

// keep runs a node, again and again.
func keep(name, addr, peers string, quit <-chan struct{}) {
	for {
		cmd := exec.Command(os.Args[0], "-name", name, "-addr", addr, "-peers", peers)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		ended := make(chan error, 1)
		if err := cmd.Start(); err != nil {
			log.Fatal(err)
		}
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			log.Printf("%s has ended (%v) and starts again in %v", name, err, restart)
		case <-quit:
			cmd.Process.Signal(os.Interrupt)
			select {
			case <-ended:
			case <-time.After(restart):
				cmd.Process.Kill()
			}
			return
		}
		select {
		case <-time.After(restart):
		case <-quit:
			return
		}
	}
}

// balancer passes requests to the nodes that are there, in turn. A program of yours has
// nginx, Caddy or a cloud's balancer instead.
func balancer(addrs []string) http.Handler {
	var turn atomic.Uint64
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if addr := living(r.In.Context(), addrs, int(turn.Add(1)%nodes)); addr != "" {
				r.SetURL(&url.URL{Scheme: "http", Host: addr})
			}
			r.Out.Host = r.In.Host // the origin of the page
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, "no node is there", http.StatusBadGateway)
		},
	}
}

// living is the first node after number i that accepts connections. It waits a while for one.
func living(ctx context.Context, addrs []string, i int) string {
	for late := time.Now().Add(20 * time.Second); ctx.Err() == nil && time.Now().Before(late); time.Sleep(100 * time.Millisecond) {
		for _, addr := range slices.Concat(addrs[i:], addrs[:i]) {
			if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
				conn.Close()
				return addr
			}
		}
	}
	return ""
}

// free finds ports that are free now.
func free(n int) (addrs []string, err error) {
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		addrs = append(addrs, ln.Addr().String())
	}
	return addrs, nil
}
