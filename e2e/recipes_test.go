package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// login fills in the form of the cookbook's chat.
func login(t *testing.T, tab context.Context, addr, name, password string) {
	t.Helper()
	run(t, tab, name+" logs in", chromedp.Navigate("http://"+addr), chromedp.SendKeys("[name=name]", name),
		chromedp.SendKeys("[name=password]", password+"\r"))
}

// The tests of the cookbook wait more than they work: for tokens to end, for clients to come
// back. Here each has a browser of their own, as the login is a cookie.
func TestTheChatOfTheCookbook(t *testing.T) {
	t.Parallel()
	server := serve(t, "cookbook/chat")
	ann, bob := browser(t), browser(t)
	login(t, ann, server.addr, "ann", "wrong")
	run(t, ann, "no login", chromedp.WaitVisible("#failed"))
	login(t, ann, server.addr, "ann", "correct-horse")
	run(t, ann, "ann speaks", chromedp.WaitVisible("#chat"), sees("#state", "connected"), chromedp.SendKeys("#text", "Hello, <b>Bob</b>!\r"), sees("#log", "ann Hello, <b>Bob</b>!"))
	login(t, bob, server.addr, "bob", "battery-staple")
	run(t, bob, "bob reads and answers", chromedp.WaitVisible("#chat"), sees("#log", "Hello, <b>Bob</b>!"), sees("#people", "ann, bob"), chromedp.SendKeys("#text", "Hi\r"))
	run(t, ann, "ann reads", sees("#people", "ann, bob"), sees("#log", "bob Hi"))
	keepScreenshot(t, ann, "cookbook-chat")
	server.stop()
	run(t, bob, "bob writes while the server is away", sees("#state", "connecting"), chromedp.SendKeys("#text", "Anybody?\r"))
	server.start() // with another secret
	run(t, bob, "bob has to log in again", chromedp.WaitVisible("#door"))
}

func TestTheHistoryOfTheCookbook(t *testing.T) {
	t.Parallel()
	server := serve(t, "cookbook/history")
	ann := browser(t)
	run(t, ann, "ann writes", chromedp.Navigate("http://"+server.addr), sees("#state", "connected"), chromedp.SendKeys("#text", "Land in sight\r"), sees("#entries", "just now"),
		chromedp.Reload(), sees("#entries", "Land in sight"))
	var now bool
	run(t, ann, "it is an old entry", chromedp.Evaluate(`document.getElementById("entries").textContent.includes("just now")`, &now))
	if now {
		t.Error("an old entry is shown as a new one")
	}
	keepScreenshot(t, ann, "cookbook-history")
	server.stop()
	run(t, ann, "the server is away", sees("#state", "connecting"))
	server.start()
	bob, leave := chromedp.NewContext(ann)
	defer leave()
	run(t, bob, "bob writes after a restart", chromedp.Navigate("http://"+server.addr), sees("#state", "connected"), chromedp.SendKeys("#text", "A new voyage\r"), sees("#entries", "A new voyage"))
	run(t, ann, "ann reads that alone", sees("#gap", "begun anew"), sees("#entries", "A new voyage"))
	var entries []string
	run(t, ann, "entries", chromedp.Evaluate(`[...document.querySelectorAll("li")].map((e) => e.firstChild.data)`, &entries))
	if len(entries) != 1 {
		t.Errorf("ann has %q", entries)
	}
}

func TestThePresenceOfTheCookbook(t *testing.T) {
	t.Parallel()
	addr := serve(t, "cookbook/presence").addr
	ann := browser(t)
	bob, leave := chromedp.NewContext(ann)
	run(t, ann, "ann", chromedp.Navigate("http://"+addr), chromedp.SendKeys("#name", "Ann\r"), sees("#count", "Nobody else"))
	run(t, bob, "bob", chromedp.Navigate("http://"+addr), chromedp.SendKeys("#name", "Bob\r"), sees("#count", "2 people"), sees("#people", "Ann"))
	run(t, ann, "both", sees("#people", "Bob"), sees("#news", "Bob has come"))
	keepScreenshot(t, ann, "cookbook-presence")
	leave()
	run(t, ann, "alone", sees("#news", "Bob has gone"), sees("#count", "Nobody else"))
}

func TestTheUploadOfTheCookbook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr := serve(t, "cookbook/upload", "-dir", dir).addr
	small, large := filepath.Join(t.TempDir(), "small"), filepath.Join(t.TempDir(), "large")
	write(t, small, "some text")
	if err := os.WriteFile(large, make([]byte, 60<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	send := func(file string) chromedp.Tasks {
		return chromedp.Tasks{chromedp.SetUploadFiles("#file", []string{file}), chromedp.Click("#send")}
	}
	run(t, ctx, "a file", chromedp.Navigate("http://"+addr), send(small), sees("#state", "Kept as "))
	keepScreenshot(t, ctx, "cookbook-upload")
	run(t, ctx, "too large", send(large), sees("#state", "more than 20 MiB"))
	run(t, ctx, "too large for the server alone", chromedp.Evaluate(`send(document.getElementById("file").files[0])`, nil), sees("#state", "takes no file"))
	if kept, err := os.ReadDir(dir); err != nil || len(kept) != 1 {
		t.Errorf("kept %v, %v", kept, err)
	}
}

func TestTheJobOfTheCookbook(t *testing.T) {
	t.Parallel()
	server := serve(t, "cookbook/job")
	ctx := browser(t)
	run(t, ctx, "a job", chromedp.Navigate("http://"+server.addr), sees("#state", "connected"), chromedp.Click("#start"), sees("#jobs", "Job 1: 1"),
		chromedp.Reload(), sees("#jobs", "Job 1: 3"))
	keepScreenshot(t, ctx, "cookbook-job")
	run(t, ctx, "more", chromedp.Click("#start"), chromedp.Click("#start"), sees("#jobs", "Job 3"), chromedp.Click("#start"), sees("#problem", "wait until"))
	server.stop()
	run(t, ctx, "stopped", sees("#jobs", "Job 1: stopped"), sees("#state", "connecting"))
	server.start() // with another secret
	run(t, ctx, "a stranger", sees("#state", "Unauthorized"))
}

func TestTheFormOfTheCookbook(t *testing.T) {
	t.Parallel()
	addr := serve(t, "cookbook/form").addr
	ctx := browser(t)
	run(t, ctx, "a fault", chromedp.Navigate("http://"+addr), chromedp.SendKeys("#name", "Ann"), chromedp.SendKeys("#email", "nobody"),
		chromedp.SendKeys("#seats", "2\r"), chromedp.WaitVisible("#email-fault"))
	inspect(t, ctx, "cookbook-form-faults")
	var name, message string
	run(t, ctx, "mended", chromedp.Value("#name", &name), chromedp.SetValue("#email", "ann@a.example"), chromedp.Click("button"),
		chromedp.WaitVisible(".done"), chromedp.Text(".done", &message), chromedp.Reload(), chromedp.WaitVisible("form"), chromedp.WaitNotPresent(".done"))
	if name != "Ann" || message != "Thank you, Ann. We expect you." {
		t.Errorf("%q, %q", name, message)
	}
}

func TestTheTokensOfTheCookbook(t *testing.T) {
	t.Parallel()
	server := serve(t, "cookbook/jwt", "-ttl", "12s") // less than 10 s are not renewed
	ctx := browser(t)
	logIn := chromedp.Tasks{chromedp.SetValue("#name", "ann"), chromedp.SetValue("#password", "correct-horse"), chromedp.Click("#door button")}
	run(t, ctx, "a wrong password", chromedp.Navigate("http://"+server.addr), chromedp.SetValue("#name", "ann"), chromedp.SetValue("#password", "wrong"), chromedp.Click("#door button"), sees("#problem", "Wrong"))
	run(t, ctx, "renewed", logIn, sees("#state", "connected"), sees("#renewed", "renewed: 1"), chromedp.SendKeys("#text", "Hello\r"), sees("#log", "ann: Hello"))
	keepScreenshot(t, ctx, "cookbook-jwt")
	server.stop()
	run(t, ctx, "away", sees("#state", "connecting"))
	server.start() // with another secret
	run(t, ctx, "a login of another server", chromedp.WaitVisible("#door"), sees("#problem", "has ended"), logIn, sees("#state", "connected"),
		chromedp.Click("#leave"), chromedp.WaitVisible("#door"))
}

func TestTheReactPageOfTheCookbook(t *testing.T) {
	t.Parallel()
	dir := frontEnd(t, "react/web")
	shell(t, dir, "npm run build")
	server := serve(t, "cookbook/react", "-dist", filepath.Join(dir, "dist"))
	check := exec.Command("go", "run", "github.com/nextrush/nextrush/cmd/nextrush", "types", "-check", filepath.Join(dir, "src/events.d.ts"), "http://"+server.addr)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	ann := browser(t)
	run(t, ann, "log", log.Enable())
	said := complaints(ann)
	bob, leave := chromedp.NewContext(ann)
	defer leave()
	run(t, ann, "ann", chromedp.Navigate("http://"+server.addr), sees("[role=status]", "connected"), chromedp.SendKeys("input", "tea\r"), sees("ul", "tea"))
	run(t, bob, "bob", chromedp.Navigate("http://"+server.addr), sees("ul", "tea"), chromedp.SendKeys("input", "milk\r"), sees("ul", "milk"))
	run(t, ann, "ann", sees("ul", "milk"))
	inspect(t, ann, "cookbook-react")
	if reached := tab(t, ann, 2); !slices.Equal(reached, []string{"input ", "button Add"}) {
		t.Errorf("Tab reaches %q", reached)
	}
	if said := said(); len(said) > 0 {
		t.Errorf("the browser says %q", said)
	}
	server.stop()
	run(t, ann, "away", sees("[role=status]", "connecting"))
	server.start()
	run(t, bob, "bob after a restart", sees("[role=status]", "connected"), chromedp.SendKeys("input", "bread\r"), sees("ul", "bread"))
	run(t, ann, "ann after a restart", sees("[role=status]", "connected"), sees("ul", "bread"))
}
