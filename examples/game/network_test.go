package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// script copies the page's modules, and testdata, to a folder where node runs them, and
// returns the path of one of them.
func script(t *testing.T, name string) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no node")
	}
	dir := t.TempDir()
	err := os.CopyFS(dir, page)
	if err == nil {
		err = os.CopyFS(dir, os.DirFS("testdata"))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// A page shows a game with eight players smoothly, over a network that takes 80 ms each way
// and loses segments, which TCP sends again after 200 to 300 ms. Measured in pixels, over a
// minute that takes no time.
func TestThePageIsSmoothOverAPoorNetwork(t *testing.T) {
	file := script(t, "network.mjs")
	for network, corrections := range map[string]int{
		`{"delay":1,"loss":0}`: 0, `{"delay":80,"loss":0}`: 0, `{"delay":80,"loss":0.02}`: 200, `{"delay":150,"loss":0.05}`: 300,
	} {
		var is struct {
			Others99, OthersMost, Own99, OwnMost, Stood, Largest float64 // off from where the speed brings a ship in a frame
			Corrections, Snaps                                   int
		}
		out, err := exec.Command("node", file, network).Output()
		if err == nil {
			err = json.Unmarshal(out, &is)
		}
		t.Logf("%s: %s", network, out)
		switch {
		case err != nil:
			t.Fatal(err)
		case is.Others99 > 3 || is.Own99 > 5 || is.OthersMost > 20 || is.OwnMost > 20:
			t.Errorf("%s: ships are shown by leaps", network)
		case is.Stood > 0.002:
			t.Errorf("%s: others stand still in %.2f %% of frames", network, 100*is.Stood)
		case is.Snaps > 0 || is.Corrections > corrections:
			t.Errorf("%s: %d corrections, of which %d are snaps", network, is.Corrections, is.Snaps)
		}
	}
}
