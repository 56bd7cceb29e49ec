package shm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
)

// A hundred goroutines open and close one region. The process is one
// participant at any time, so there is always a place for it.
func TestThrongOpensAndCloses(t *testing.T) {
	path := testPath(t)
	testproc.Get(Create(path, &Options{Participants: 1}))(t).Close()
	rounds := effort.Or(10, 3)
	var wg gosync.WaitGroup
	for g := range 100 {
		wg.Go(func() {
			for round := range rounds {
				r, err := Open(path, nil)
				if err != nil {
					t.Errorf("goroutine %d, round %d: %v", g, round, err)
					return
				}
				if p := r.Self(); p.State != Alive || p.Index != 0 {
					t.Errorf("goroutine %d, round %d: self %+v", g, round, p)
				}
				m, core, err := lockable(r, "m")
				if err != nil {
					t.Errorf("goroutine %d, round %d: %v", g, round, err)
				} else if ok, err := m.TryLock(); ok {
					if err := m.Unlock(); err != nil {
						t.Errorf("goroutine %d, round %d: %v", g, round, err)
					}
				} else if err != nil {
					t.Errorf("goroutine %d, round %d: %v", g, round, err)
				}
				core.KeepAlive()
				if g%2 == 0 {
					err = r.Close()
				} else {
					err = errors.Join(r.Close(), r.Close())
				}
				if err != nil {
					t.Errorf("goroutine %d, round %d: %v", g, round, err)
				}
			}
		})
	}
	wg.Wait()
	look := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer look.Close()
	if ps := look.Participants(); len(ps) != 0 {
		t.Errorf("participants %v, want none", ps)
	}
	if err := look.Check(); err != nil {
		t.Error(err)
	}
}

// stormer: path. Opens, locks and closes until it is killed.
var stormer = testproc.Role("stormer", func(args []string) {
	for n := 0; ; n++ {
		r, err := Open(args[0], nil)
		testproc.Must(err)
		m, core, err := lockable(r, "m")
		testproc.Must(err)
		w := r.a.list.Waiter(context.Background())
		err = m.Lock(w)
		if errors.Is(err, ErrOwnerDied) {
			if _, err = m.Recover(w); err == nil {
				err = m.MarkConsistent()
			}
		}
		w.Done()
		testproc.Must(err)
		testproc.Must(m.Unlock())
		core.KeepAlive()
		testproc.Must(r.Close())
		if n == 3 {
			testproc.Say("storming")
		}
	}
})

// Processes attach and leave without a pause and are killed anywhere in it.
func TestStormOfAttachesAndKills(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, &Options{Participants: 6}))(t)
	defer r.Close()
	rounds := effort.Or(8, 2)
	for range rounds {
		var cs []*testproc.Child
		for range 3 {
			cs = append(cs, stormer.Start(t, path))
		}
		for _, c := range cs {
			c.Expect("storming")
		}
		for _, c := range cs {
			syscall.Kill(c.PID(), syscall.SIGKILL)
		}
		for _, c := range cs {
			c.Wait()
		}
		for end := time.Now().Add(testproc.Patience); len(r.Participants()) > 1; {
			if time.Now().After(end) {
				t.Fatalf("still there: %v", r.Participants())
			}
			time.Sleep(time.Millisecond)
		}
	}
	m, core, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	w := r.a.list.Waiter(context.Background())
	defer w.Done()
	if suspect, err := m.Recover(w); err != nil {
		t.Error(err)
	} else if suspect {
		m.MarkConsistent()
	}
	m.Unlock()
	core.KeepAlive()
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	// Nobody has taken a place for good.
	for range 5 {
		bare(t, r)
	}
}

// tourist: paths. Attaches to all of them.
var tourist = testproc.Role("tourist", func(args []string) {
	for _, path := range args {
		_, err := Open(path, nil)
		testproc.Must(err)
	}
	testproc.Say("there")
	testproc.Hear()
})

// One guard, many regions: a death is told in each, and a region that is
// closed disturbs no other.
func TestGuardOfManyRegions(t *testing.T) {
	dir := testDir(t)
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	defer cancel()
	var rs []*Region
	var paths []string
	const n = 140 // more than one futex_waitv takes
	for i := range n {
		path := filepath.Join(dir, fmt.Sprint("region-", i))
		r := testproc.Get(Create(path, &Options{Size: 2 << 20, Participants: 4, Objects: 8}))(t)
		defer r.Close()
		rs, paths = append(rs, r), append(paths, path)
	}
	for round := range 2 {
		c := tourist.Start(t, paths...)
		c.Expect("there")
		told := make(chan Participant)
		for _, r := range rs {
			exits := r.Exits(ctx)
			go func() {
				for p := range exits {
					told <- p
					return
				}
				told <- Participant{}
			}()
		}
		c.Kill()
		for range rs {
			if p := <-told; p.PID != c.PID() || p.State != Dead {
				t.Fatalf("round %d: told of %+v, want the death of %d", round, p, c.PID())
			}
		}
		for len(rs) > 10 {
			last := len(rs) - 1
			if err := rs[last].Close(); err != nil {
				t.Fatal(err)
			}
			rs, paths = rs[:last], paths[:last]
		}
	}
}

// Close waits for who changes the directory, whose writes go to the file, too.
func TestCloseWaitsForAChange(t *testing.T) {
	r := testproc.Get(Create(testPath(t), nil))(t)
	l, err := r.a.lockDirectory()
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	for !r.a.list.Closed() {
		time.Sleep(100 * time.Microsecond)
	}
	select {
	case err := <-closed:
		t.Errorf("Close = %v while the directory is being changed", err)
	case <-time.After(50 * time.Millisecond):
		l.unlock()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	}
}

// Exits can be ranged over again, and ends with the region each time.
func TestExitsTwice(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	exits := r.Exits(context.Background())
	for range 2 {
		c := visitor.Start(t, path)
		c.Line()
		go func() {
			for !r.a.watch.listened() { // the second time it begins with the loop
				time.Sleep(100 * time.Microsecond)
			}
			c.Kill()
		}()
		for p := range exits {
			if p.PID != c.PID() {
				t.Errorf("exit of %+v, want pid %d", p, c.PID())
			}
			break
		}
	}
	done := make(chan bool)
	go func() {
		for range exits {
		}
		close(done)
	}()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	<-done
	for range exits { // and now at once
	}
}

var guardless = testproc.Role("guardless", func(args []string) {
	for range 3 {
		_, err := Open(args[0], nil)
		testproc.Say(errors.Is(err, syscall.ENOSYS), len(theGuard.regions), len(theGuard.todo), theGuard.running)
	}
	testproc.Hear()
})

// Where the kernel has no robust lists there is an error, and nothing stays.
func TestGuardCannotStart(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	c := guardless.Start(t, "TANDEM_FORCE=norobust", "--", path)
	for range 3 {
		c.Expect("true 0 0 false")
	}
	if ps := r.Participants(); len(ps) != 1 {
		t.Errorf("participants %v, want one", ps)
	}
}
