package shm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
)

// user: path. Opens the objects that it is told, uses them and forgets them.
var user = testproc.Role("user", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	for {
		name, ok := testproc.Hear()
		if !ok {
			return
		}
		m, core, err := lockable(r.Existing(), name)
		testproc.Must(err)
		testproc.Must(m.Lock(r.a.list.Waiter(context.Background()))) // others are told to use it too
		testproc.Must(m.Unlock())
		core.KeepAlive()
		testproc.Say("used", name)
	}
})

// askFor is how long one who asks waits from here on.
func askFor(t *testing.T, d time.Duration) {
	was := askLimit
	askLimit = d
	t.Cleanup(func() { askLimit = was })
}

// What others have open and do not use any more is no reason for ErrNoSpace:
// neither the entries nor the memory.
func TestOthersAreAskedForRoom(t *testing.T) {
	askFor(t, testproc.Patience)
	for _, tt := range []struct {
		name  string
		o     *Options
		bytes uint64
	}{
		{"entries", &Options{Objects: 16}, 0},
		{"memory", &Options{Size: 8 << 20}, 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, path := newRegion(t, tt.o)
			var users []*testproc.Child
			for range 2 {
				users = append(users, user.Start(t, path))
			}
			for i := range 40 {
				name := fmt.Sprint("job", i)
				openOK(t, r, sizedSpec(name, tt.bytes))
				for _, c := range users {
					c.Say(name)
				}
				for _, c := range users {
					c.Expect("used " + name)
				}
				if err := r.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
			checkOK(t, r)
		})
	}
}

// How long that takes.
func TestAskingTakesMilliseconds(t *testing.T) {
	askFor(t, testproc.Patience)
	const objects = 16
	r, path := newRegion(t, &Options{Objects: objects})
	c := user.Start(t, path)
	k := 0
	effort.Median(t, 20*time.Millisecond, 20, func() time.Duration {
		for ; ; k++ {
			name := fmt.Sprint("job", k)
			begun := time.Now()
			openOK(t, r, lockOf(name))
			took := time.Since(begun)
			c.Say(name)
			c.Expect("used " + name)
			if err := r.Remove(name); err != nil {
				t.Fatal(err)
			}
			if k > 0 && k%objects == 0 { // there was no room
				k++
				return took
			}
		}
	})
}

// Who has objects open in fact is asked, and keeps them; and ErrNoSpace says how
// many of them there are.
func TestWhatIsInUseIsNotDropped(t *testing.T) {
	askFor(t, testproc.Patience)
	r, path := newRegion(t, &Options{Objects: 2})
	openOK(t, r, sizedSpec("kept", 100))
	c := keeper.Start(t, path, "kept")
	c.Expect("open")
	if err := r.Remove("kept"); err != nil {
		t.Fatal(err)
	}
	openOK(t, r, lockOf("other"))
	for range 3 {
		_, err := r.OpenObject(lockOf("one-more"))
		wantErr(t, err, ErrNoSpace)
		if want := "1 objects of at most 2 in the region (Options.Objects, when it was made), and 1 removed ones or connections that somebody has open (in 1 processes)"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	c.Say("look")
	c.Line()
	c.Kill()
	openOK(t, r, lockOf("one-more")) // also when it has not been recovered yet
	checkOK(t, r)
}

// Where nobody is to be asked one looks once more: who was to be may have died, and been
// recovered, since the last look.
func TestNobodyToAsk(t *testing.T) {
	r, _ := newRegion(t, &Options{Objects: 2})
	s := search{a: r.a, dropped: true}
	if !s.more(1) {
		t.Error("no look after the request")
	}
	if s.more(1) {
		t.Error("it looks again and again")
	}
}

// One who is stopped is waited for once.
func TestTheDeafAreWaitedForOnce(t *testing.T) {
	askFor(t, 300*time.Millisecond)
	r, path := newRegion(t, &Options{Objects: 1})
	openOK(t, r, lockOf("a"))
	c := user.Start(t, path)
	c.Say("a")
	c.Expect("used a")
	c.Freeze()
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	_, err := r.OpenObject(lockOf("b"))
	wantErr(t, err, ErrNoSpace)
	askLimit = time.Hour // once more, and that is what it would take
	over := make(chan bool)
	go func() {
		for range 10 {
			_, err := r.OpenObject(lockOf("b"))
			wantErr(t, err, ErrNoSpace)
		}
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(testproc.Patience):
		t.Fatal("it is waited for again")
	}
	c.Signal(syscall.SIGCONT)
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		if _, err := r.OpenObject(lockOf("b")); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// Who finds no room looks on as long as this process lets go of something: others of its
// goroutines may have had all of it meanwhile.
func TestRoomThatOthersHadMeanwhile(t *testing.T) {
	askFor(t, testproc.Patience)
	r, _ := newRegion(t, &Options{Objects: 4})
	var held []*object.Core
	fill := func(hold bool) {
		for i := range 4 {
			c := openOK(t, r, lockOf(fmt.Sprint(i)))
			testproc.OK(t, r.Remove(fmt.Sprint(i)))
			if hold {
				held = append(held, c)
			}
		}
	}
	room := search{a: r.a}
	for n := range 6 {
		fill(false)
		if !room.more(1) {
			t.Fatalf("it does not look on, the %d. time", n+1)
		}
		openOK(t, r, lockOf("room"))
		testproc.OK(t, r.Remove("room"))
		collectUntil(t, func() bool { return !slices.ContainsFunc([]uint32{0, 1, 2, 3}, r.a.Opened) })
	}
	fill(true)
	looks := 0
	for room := (search{a: r.a}); room.more(1); looks++ {
		if looks == 10 {
			t.Fatal("it looks on, and finds nothing")
		}
	}
	for _, c := range held {
		c.KeepAlive()
	}
}
