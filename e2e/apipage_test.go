package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestTheAPIPageCanBeTried(t *testing.T) {
	addr := serve(t, "api").addr
	ctx := browser(t)
	const add = "details:has(> summary .post)"
	run(t, ctx, "add", chromedp.Navigate("http://"+addr+"/docs"), sees("main", "Add a book"), chromedp.Click(add+" > summary"),
		sees(add+" .example", `"title": "Emma"`))
	var line, color, other string
	run(t, ctx, "curl", chromedp.Text(add+" .curl", &line),
		chromedp.Evaluate(`getComputedStyle(document.querySelector(".method.post")).color`, &color),
		chromedp.Evaluate(`getComputedStyle(document.querySelector(".method.get")).color`, &other))
	for _, part := range []string{"curl -X POST", "-H 'Content-Type: application/json'", "--data '", "1815", "'http://" + addr + "/books'"} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in %s", part, line)
		}
	}
	if color == other {
		t.Error("POST and GET have the same color")
	}
	run(t, ctx, "send", chromedp.SetValue("#authorization", "Bearer x"), chromedp.Click(add+" button.send"), sees(add+" [aria-live]", "201 Created"), sees(add+" [aria-live]", `"id": 1`))
	run(t, ctx, "a mistake", chromedp.SetValue(add+" textarea", `{"title": ""}`), chromedp.Click(add+" button.send"),
		sees(add+" [aria-live]", "422"), sees(add+" [aria-live]", "title is required"))
	keepScreenshot(t, ctx, "api-try")
	const one = "details:has(> summary .get):nth-of-type(3)"
	run(t, ctx, "path", chromedp.Click(one+" > summary"), sees(one, "Try it"), chromedp.Click(one+" button.send"), sees(one+" [aria-live]", `"title": "Emma"`))
}

func TestThePageOfEventsCanBeTried(t *testing.T) {
	addr := serve(t, "votes").addr
	ctx := browser(t)
	run(t, ctx, "connect", chromedp.Navigate("http://"+addr+"/asyncapi"), sees("main", "Votes"), chromedp.Click("form button"), sees("form", "connected"))
	run(t, ctx, "ask", chromedp.Click("form button[type=submit]"), sees(".log", `"type":"ack"`))
	run(t, ctx, "vote", chromedp.Evaluate(`(() => {
		const s = document.querySelector("form select");
		s.selectedIndex = 1;
		s.dispatchEvent(new Event("change", { bubbles: true }));
	})()`, nil), chromedp.Click("form button[type=submit]"), sees(".log", `"votes":{"tea":1}`))
	run(t, ctx, "a mistake", chromedp.SetValue("form textarea", "{"), chromedp.Click("form button[type=submit]"), sees(".log", "The data is not JSON"))
	keepScreenshot(t, ctx, "events-try")
	run(t, ctx, "close", chromedp.Click("form button"), sees("form", "closed with 1000"))
}
