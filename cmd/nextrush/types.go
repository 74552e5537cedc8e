package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	declarationsName = "events.d.ts" // where plugin asyncapi serves them by default
	maxDeclarations  = 16 << 20      // bytes
	maxDiff          = 20            // lines
)

// types writes the TypeScript declarations that plugin asyncapi of a running server makes,
// or compares a file with them.
func types(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet("types", flag.ContinueOnError)
	header := headerFlag(flags)
	out := flags.String("o", "", "file to write; empty: print")
	check := flags.String("check", "", "file to compare: fail, and write nothing, if it differs")
	address, err := parse(flags, args, t, "URL")
	if err != nil {
		return err
	}
	if *out != "" && *check != "" {
		return errors.New("types: -check writes nothing: leave out -o")
	}
	address, err = declarationsURL(address)
	if err != nil {
		return fmt.Errorf("types: %w", err)
	}
	text, err := fetchDeclarations(ctx, address, header)
	switch {
	case err != nil:
		return fmt.Errorf("types: %w", err)
	case *check != "":
		return compareTypes(*check, text, address, t)
	case *out != "":
		err = os.WriteFile(*out, text, 0o644)
	default:
		_, err = t.out.Write(text)
	}
	if err != nil {
		return fmt.Errorf("types: %w", err)
	}
	return nil
}

// declarationsURL takes the address of a server, or that of the declarations, and those
// of its sockets too.
func declarationsURL(address string) (string, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	case "http", "https":
	default:
		return "", fmt.Errorf("%s is not an address of a server: give one as http://localhost:3000", address)
	}
	if !strings.HasSuffix(u.Path, ".d.ts") {
		u = u.JoinPath(declarationsName)
	}
	return u.String(), nil
}

func fetchDeclarations(ctx context.Context, address string, header http.Header) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header = header
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s does not exist: register asyncapi.New with the App, or give the whole URL if its option TypeScript has another path", address)
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("%s answers %s: send with -H what the option Guard of asyncapi asks for", address, res.Status)
	default:
		return nil, fmt.Errorf("%s answers %s", address, res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxDeclarations))
	if err == nil && !bytes.Contains(text, []byte("export interface Channels {")) {
		err = fmt.Errorf("%s is something else than declarations of asyncapi", address)
	}
	return text, err
}

// compareTypes fails if a file is not what the server declares, and prints what differs.
func compareTypes(file string, text []byte, address string, t terminal) error {
	committed, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("types: %w", err)
	}
	committed = bytes.ReplaceAll(committed, []byte("\r\n"), []byte("\n")) // as Git may write it
	if bytes.Equal(committed, text) {
		return nil
	}
	fmt.Fprint(t.out, differences(string(committed), string(text)))
	return fmt.Errorf("types: %s is not what the server declares: run nextrush types -o %[1]s %s", file, address)
}

// differences are the lines from the first that differs to the last, at most maxDiff of
// each text.
func differences(before, after string) string {
	a, b := slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))
	first := 0
	for first < min(len(a), len(b)) && a[first] == b[first] {
		first++
	}
	a, b = a[first:], b[first:]
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var d strings.Builder
	fmt.Fprintf(&d, "line %d:\n", first+1)
	mark(&d, "-", a)
	mark(&d, "+", b)
	return d.String()
}

func mark(d *strings.Builder, sign string, lines []string) {
	for _, line := range lines[:min(len(lines), maxDiff)] {
		fmt.Fprintf(d, "%s %s\n", sign, strings.TrimSuffix(line, "\n"))
	}
	if more := len(lines) - maxDiff; more > 0 {
		fmt.Fprintf(d, "%s and %d lines more\n", sign, more)
	}
}
