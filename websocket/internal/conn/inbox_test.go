package conn

import "testing"

func TestInboxOffersEachMessageOnce(t *testing.T) {
	in := newInbox(false)
	for _, text := range []string{"a", "b", "c"} {
		in.push(message{1, []byte(text)})
	}
	wants := func(text string) string {
		taken := ""
		for {
			m, changes, ok := in.unseen()
			if !ok {
				return taken
			}
			in.claim(changes, func() func() {
				if string(m.data) != text {
					return nil
				}
				taken += text
				return func() {}
			})
		}
	}
	if taken := wants("b"); taken != "b" || len(in.messages) != 2 {
		t.Fatalf("%q taken, %d left", taken, len(in.messages))
	}
	if taken := wants("c"); taken != "" {
		t.Fatalf("%q was offered again", taken)
	}
	in.offerAgain()
	if taken := wants("c"); taken != "c" {
		t.Fatalf("%q taken from the new callbacks' offer", taken)
	}
	if m, ok := in.pop(); !ok || string(m.data) != "a" || !in.empty() {
		t.Fatal("what nobody wants stays for Receive")
	}
}

func TestInboxClaimsNothingThatHasChanged(t *testing.T) {
	in := newInbox(false)
	in.push(message{1, []byte("a")})
	_, changes, _ := in.unseen()
	in.pop()
	in.push(message{1, []byte("b")})
	if in.claim(changes, func() func() { return func() {} }) != nil || len(in.messages) != 1 {
		t.Fatal("another message was taken")
	}
}

func TestInboxIsBounded(t *testing.T) {
	big := message{1, make([]byte, UnclaimedLimit-MessageCost)}
	in := newInbox(false)
	if !in.push(big) || in.push(message{}) {
		t.Error("without a consumer")
	}
	in.enter()
	if !in.full() || !in.push(message{}) || in.room() != nil {
		t.Error("with Receive")
	}
	for range InboxLimit / UnclaimedLimit {
		in.push(big)
	}
	if in.room() != errFull {
		t.Error("with Receive that is slow")
	}
	if in.waiting--; !in.abandon() || in.full() {
		t.Error("after Receive")
	}
}
