package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/nextrushtest"
)

// visit opens the page, which gives the visitor a name.
func visit(c *nextrushtest.Client) *nextrushtest.Client {
	browser := c.WithCookies()
	browser.Get("/").WantStatus(200)
	return browser
}

// until returns the first news of a job that is in this state, at this percentage.
func until(s *nextrushtest.Socket, state string, percent int) (got job) {
	for got.State != state || got.Percent < percent {
		s.ExpectEvent("job", &got)
	}
	return got
}

func TestAJobIsFollowedAlsoAfterAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nextrushtest.New(t, newApp())
		ann, bob := visit(c), visit(c)
		page, other := ann.Dial("/jobs"), bob.Dial("/jobs")
		ann.Post("/jobs", nil).WantStatus(202).WantJSON(job{ID: 1, State: "running"})
		until(page, "running", 10)
		page.Disconnect()

		page = ann.Dial("/jobs")
		var got job
		if page.ExpectEvent("job", &got); got.Percent < 10 || got.ID != 1 {
			t.Errorf("after a reload: %+v", got)
		}
		until(page, "done", 100)
		bob.Post("/jobs", nil).WantStatus(202)
		if got := until(other, "running", 0); got.ID != 2 {
			t.Errorf("bob is told of %+v", got)
		}
	})
}

func TestJobsAreStoppedWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp()
		ann := visit(nextrushtest.New(t, app))
		page := ann.Dial("/jobs")
		ann.Post("/jobs", nil).WantStatus(202)
		until(page, "running", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- app.Shutdown(ctx) }()
		until(page, "stopped", 1)
		page.ExpectClose(1001)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestJobsAreBoundedAndForVisitorsOnly(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann := visit(c)
	for range perUser {
		ann.Post("/jobs", nil).WantStatus(202)
	}
	ann.Post("/jobs", nil).WantStatus(429)
	visit(c).Post("/jobs", nil).WantStatus(202)
	c.Post("/jobs", nil).WantStatus(401)
	c.Dial("/jobs").ExpectClose(4401)
}

func TestAJobThatIsDoneMakesRoom(t *testing.T) {
	j := newJobs(newApp())
	for i := range most {
		j.all = append(j.all, &job{ID: i, State: "running", user: "bob"})
	}
	if _, err := j.start("ann"); err == nil {
		t.Error("a job is started beside too many")
	}
	j.all[7].State = "done"
	if _, err := j.start("ann"); err != nil || len(j.all) != most || j.all[7].ID != 8 {
		t.Error(err, len(j.all), j.all[7].ID)
	}
	j.stop(t.Context())
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	for _, path := range []string{"/", "/app.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}
