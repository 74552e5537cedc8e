package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

const (
	perUser = 3    // jobs of one user that run at a time
	most    = 1000 // jobs that are remembered
)

// job is what its user sees of it.
type job struct {
	ID      int    `json:"id"`
	Percent int    `json:"percent"`
	State   string `json:"state"` // running, done, failed, or stopped with the server

	user string
}

type jobs struct {
	app     *nextrush.App
	ctx     context.Context // ends with the server
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu   sync.Mutex // guards what follows, and that users are told of it in order
	last int
	all  []*job
}

func newJobs(app *nextrush.App) *jobs {
	j := &jobs{app: app}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	return j
}

// work stands for what takes long. It returns soon after ctx has ended.
func work(ctx context.Context, progress func(percent int)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for percent := range 100 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			progress(percent + 1)
		}
	}
	return nil
}

func (j *jobs) start(user string) (job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case user == "":
		return job{}, nextrush.NewError(http.StatusUnauthorized)
	case j.runningLocked(user) >= perUser:
		return job{}, nextrush.NewError(http.StatusTooManyRequests, "wait until one of your jobs is done")
	case j.ctx.Err() != nil || !j.makeRoomLocked():
		return job{}, nextrush.NewError(http.StatusServiceUnavailable, "no job can be started now")
	}
	j.last++
	started := &job{ID: j.last, State: "running", user: user}
	j.all = append(j.all, started)
	j.tellLocked(started)
	j.workers.Go(func() { j.run(started) })
	return *started, nil
}

func (j *jobs) runningLocked(user string) (n int) {
	for _, of := range j.all {
		if of.user == user && of.State == "running" {
			n++
		}
	}
	return n
}

// makeRoomLocked forgets the oldest job that does not run any more, if there are too many.
func (j *jobs) makeRoomLocked() bool {
	if len(j.all) < most {
		return true
	}
	i := slices.IndexFunc(j.all, func(of *job) bool { return of.State != "running" })
	if i >= 0 {
		j.all = slices.Delete(j.all, i, i+1)
	}
	return i >= 0
}

// run does the work. Nobody else would recover from a panic in a goroutine of our own.
func (j *jobs) run(of *job) {
	state := "failed"
	defer func() {
		if p := recover(); p != nil {
			slog.Error("job", "id", of.ID, "panic", p)
		}
		j.change(of, func() { of.State = state })
	}()
	err := work(j.ctx, func(percent int) {
		j.change(of, func() { of.Percent = percent })
	})
	switch {
	case err == nil:
		state = "done"
	case j.ctx.Err() != nil:
		state = "stopped"
	default:
		slog.Error("job", "id", of.ID, "error", err)
	}
}

func (j *jobs) change(of *job, f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
	j.tellLocked(of)
}

// tellLocked tells all pages of the user. One that is slow gets the newest state of each job.
func (j *jobs) tellLocked(of *job) {
	if err := j.app.WSTo("user:"+of.user).Coalesce(strconv.Itoa(of.ID)).Emit("job", *of); err != nil {
		slog.Error("job", "id", of.ID, "error", err)
	}
}

// follow tells a page of all jobs of its user, and from then on of what changes.
func (j *jobs) follow(s *websocket.Socket, user string) error {
	if user == "" {
		return nextrush.NewError(http.StatusUnauthorized)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := s.Join("user:" + user); err != nil {
		return err
	}
	for _, of := range j.all {
		if of.user == user {
			if err := s.Emit("job", *of); err != nil {
				return err
			}
		}
	}
	return nil
}

// stop ends the work while sockets are still open, so that users are told.
func (j *jobs) stop(ctx context.Context) {
	j.mu.Lock()
	j.cancel() // no job is started after this
	j.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		j.workers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
