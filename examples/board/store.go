package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

const (
	maxBoards = 100             // in memory
	unused    = time.Minute     // after which a board that nobody is at makes room for another
	saveEvery = 2 * time.Second // what is lost if the machine fails
)

var boardName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// store has the boards. Its methods are safe from any goroutine.
type store struct {
	dir     string // that keeps them; empty: none does
	sockets *websocket.Namespace
	log     *slog.Logger
	stop    chan struct{}
	saving  sync.WaitGroup

	mu     sync.Mutex // guards boards, and when each was used
	boards map[string]*board
}

func (st *store) path(name string) string { return filepath.Join(st.dir, "board-"+name+".json") }

// open returns the board of a name, which is empty if nobody has drawn on it yet.
func (st *store) open(name string) (*board, error) {
	if !boardName.MatchString(name) {
		return nil, nextrush.NewError(http.StatusNotFound, "a board has a name of 1 to 40 letters, digits and hyphens")
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	b := st.boards[name]
	if b == nil {
		if len(st.boards) >= maxBoards && !st.forgetLocked() {
			return nil, nextrush.NewError(http.StatusServiceUnavailable, "too many boards are in use")
		}
		b = &board{name: name, sockets: st.sockets, all: elements{}}
		if err := st.load(b); err != nil {
			return nil, err
		}
		st.boards[name] = b
	}
	b.used = time.Now()
	return b, nil
}

// forgetLocked gives up the board that was used least lately, of those that nobody is at.
func (st *store) forgetLocked() bool {
	var oldest *board
	for _, b := range st.boards {
		idle := time.Since(b.used) > unused && len(st.sockets.To(b.name).Sockets()) == 0
		if idle && (st.dir == "" || b.unsaved() == nil) && (oldest == nil || b.used.Before(oldest.used)) {
			oldest = b
		}
	}
	if oldest != nil {
		delete(st.boards, oldest.name)
	}
	return oldest != nil
}

func (st *store) load(b *board) error {
	if st.dir == "" {
		return nil
	}
	var was state
	data, err := os.ReadFile(st.path(b.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &was)
	}
	for _, e := range was.Elements {
		b.all[e.ID] = e
	}
	b.n, b.saved = was.N, was.N
	return err
}

// start saves what has changed until shutdown.
func (st *store) start(context.Context) error {
	if st.dir == "" {
		return nil
	}
	st.saving.Go(func() {
		for {
			select {
			case <-time.After(saveEvery):
				st.saveAll()
			case <-st.stop:
				st.saveAll()
				return
			}
		}
	})
	return os.MkdirAll(st.dir, 0o700)
}

func (st *store) shutdown(context.Context) error {
	close(st.stop)
	st.saving.Wait()
	return nil
}

func (st *store) saveAll() {
	st.mu.Lock()
	boards := maps.Clone(st.boards)
	st.mu.Unlock()
	for _, b := range boards {
		if now := b.unsaved(); now != nil {
			if err := st.save(b, now); err != nil {
				st.log.Error("a board was not saved", "board", b.name, "error", err)
			}
		}
	}
}

// save writes another file and puts it into the place of the old one, so that there is a
// whole one whatever happens.
func (st *store) save(b *board, now *state) error {
	data, err := json.Marshal(now)
	if err != nil {
		return err
	}
	path := st.path(b.name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = now.N
	return nil
}
