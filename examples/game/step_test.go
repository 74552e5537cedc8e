package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

type course struct {
	Start  [2]int   `json:"start"`
	Inputs [][3]int `json:"inputs"`
}

// wander makes a course, and returns where a ship is after each of its steps.
func wander(r *rand.Rand, seat int) (c course, at [][5]int) {
	s := start(seat)
	c.Start = [2]int{s.x, s.y}
	var x, y int
	for range 2000 {
		if r.IntN(20) == 0 {
			x, y = r.IntN(179)-89, r.IntN(179)-89
		}
		dash := r.IntN(10) / 9
		c.Inputs = append(c.Inputs, [3]int{x, y, dash})
		s.step(stick{x, y, dash == 1})
		at = append(at, [5]int{s.x, s.y, s.vx, s.vy, s.dash})
	}
	return c, at
}

// The page has to come to the same places as the server.
func TestThePageTakesTheSameSteps(t *testing.T) {
	file := script(t, "steps.mjs")
	r := rand.New(rand.NewPCG(1, 2))
	courses, want := make([]course, 40), make([][][5]int, 40)
	for i := range courses {
		courses[i], want[i] = wander(r, i%maxPlayers)
	}
	got := node(t, file, courses)
	for i, at := range want {
		for n := range at {
			if got[i][n] != at[n] {
				t.Fatalf("course %d, step %d: the page comes to %v, the server to %v", i, n, got[i][n], at[n])
			}
		}
	}
}

func node(t *testing.T, script string, courses []course) (at [][][5]int) {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "in"), []byte(nil)
	data, err := json.Marshal(courses)
	if err == nil {
		err = os.WriteFile(in, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", script)
	if cmd.Stdin, err = os.Open(in); err == nil {
		out, err = cmd.Output()
	}
	if err == nil {
		err = json.Unmarshal(out, &at)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return at
}

func TestAShipStaysInTheFieldAndOutOfPillars(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for seat := range maxPlayers {
		_, at := wander(r, seat)
		for _, p := range at {
			s := ship{x: p[0], y: p[1], vx: p[2], vy: p[3]}
			if s.x < radius || s.y < radius || s.x > width-radius || s.y > height-radius {
				t.Fatalf("a ship is at %+v", s)
			}
			if max(s.vx, -s.vx, s.vy, -s.vy) > 2000 {
				t.Fatalf("a ship is as fast as %+v", s)
			}
			for _, p := range pillars {
				if dx, dy := s.x-p.x, s.y-p.y; dx*dx+dy*dy < (p.r+radius-2*unit)*(p.r+radius-2*unit) {
					t.Fatalf("a ship at %+v is in the pillar %+v", s, p)
				}
			}
		}
	}
}

func TestShipsThatMeetArePushedApart(t *testing.T) {
	a, b := ship{x: 1000 * unit, y: 100 * unit, vx: 200}, ship{x: 1030 * unit, y: 100 * unit, vx: -100}
	if !bump(&a, &b) || b.x-a.x < 2*radius-2 || a.vx >= 0 || b.vx <= 0 {
		t.Errorf("%+v %+v", a, b)
	}
	if bump(&a, &ship{x: 1300 * unit, y: 100 * unit}) {
		t.Error("ships bump that are apart")
	}
	b = a
	if !bump(&a, &b) || a == b {
		t.Errorf("ships in one place stay there: %+v %+v", a, b)
	}
}
