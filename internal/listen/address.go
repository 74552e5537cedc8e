package listen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// On listens on an address: one of TCP, "unix:/run/app.sock", or "systemd:" for a socket
// that the process was handed. "" is the port that the environment names in PORT, or 3000.
func On(addr string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return onUnix(path)
	}
	if name, ok := strings.CutPrefix(addr, "systemd:"); ok {
		return handed(name)
	}
	if addr == "" {
		port := cmp.Or(os.Getenv("PORT"), "3000")
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return nil, fmt.Errorf("PORT is %q in the environment: set it to a number, or give Listen an address", port)
		}
		addr = ":" + port
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // of which accepted connections do not have all options of the listener
	ln, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, Explain(addr, err)
	}
	return ln, nil
}

// DevEnv names the environment variable by which nextrush dev has a program listen
// elsewhere: it passes on to it what comes to the program's own address.
const DevEnv = "NEXTRUSH_DEV_LISTEN"

// Dev is the address of DevEnv. It is for the first who asks: a program that listens on
// several addresses listens on the others as written, and so does a program that it starts.
func Dev() string {
	addr := os.Getenv(DevEnv)
	os.Unsetenv(DevEnv)
	return addr
}

// onUnix takes over the file of a process that has ended without removing it.
func onUnix(path string) (net.Listener, error) {
	path, query, _ := strings.Cut(path, "?")
	mode, err := parseMode(query)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil && isStale(path) {
		os.Remove(path)
		ln, err = net.Listen("unix", path)
	}
	if err == nil && query != "" {
		if err = os.Chmod(path, mode); err != nil {
			ln.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return ln, nil
}

func parseMode(query string) (fs.FileMode, error) {
	if query == "" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(query, "mode=")
	mode, err := strconv.ParseUint(digits, 8, 9)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is not the mode of a socket: write ?mode=660", query)
	}
	return fs.FileMode(mode), nil
}

// isStale reports a socket on which nobody listens any more.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// firstHanded is the descriptor of the first socket (sd_listen_fds(3)).
const firstHanded = 3

// handed returns the socket of that name, or the only one.
func handed(name string) (net.Listener, error) {
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || n < 1 {
		return nil, errors.New("this process was handed no socket (LISTEN_FDS and LISTEN_PID): start it by a .socket unit")
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	i := slices.Index(names, name)
	switch {
	case name == "" && n > 1:
		return nil, fmt.Errorf("this process was handed %d sockets: name one, as in %q", n, "systemd:"+cmp.Or(names[0], "name"))
	case name == "":
		i = 0
	case i < 0 || i >= n:
		return nil, fmt.Errorf("this process was handed no socket with the name %q, but %q", name, names)
	}
	file := os.NewFile(uintptr(firstHanded+i), name)
	defer file.Close()
	if err := wake(file); err != nil {
		return nil, err
	}
	return net.FileListener(file)
}

// Notify tells systemd, if that has started the process and asks for it, what the process
// does: "READY=1" or "STOPPING=1" (sd_notify(3)).
func Notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(state))
}
