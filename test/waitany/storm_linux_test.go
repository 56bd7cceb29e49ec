package waitany

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// stormJobs is how many jobs a storm has at most.
const stormJobs = 1 << 20

type stormThings struct {
	qs   [2]*ring.Queue[int64]
	stop *sync.Event
	done *atomics.Array[uint8]
}

func openStorm(r *shm.Region) (s stormThings, err error) {
	for i, name := range []string{"a", "b"} {
		if s.qs[i], err = ring.OpenQueue[int64](r, name, &ring.QueueOptions{Capacity: 8}); err != nil {
			return s, err
		}
	}
	if s.stop, err = sync.OpenEvent(r, "stop"); err == nil {
		s.done, err = atomics.OpenArray[uint8](r, "done", stormJobs)
	}
	return s, err
}

// stormWorker takes jobs from both queues, whichever has one; now and then it only looks.
var stormWorker = testproc.Role("waitany storm", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	s, err := openStorm(r)
	testproc.Must(err)
	testproc.Say("works")
	for {
		i, err := shm.WaitAny(bg, s.qs[0], s.qs[1], s.stop)
		testproc.Must(err)
		if i == 2 {
			testproc.Must(r.Close())
			return
		}
		if rand.IntN(4) == 0 {
			continue
		}
		d, err := s.qs[i].TryLease()
		if errors.Is(err, ring.ErrEmpty) {
			continue
		}
		if errors.Is(err, io.EOF) {
			return
		}
		testproc.Must(err)
		s.done.Store(int(d.Value()), 1)
		testproc.Must(d.Ack())
	}
})

// stormGetter takes from the first queue alone, and sleeps in Get.
var stormGetter = testproc.Role("waitany storm, get", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	s, err := openStorm(r)
	testproc.Must(err)
	testproc.Say("works")
	for {
		d, err := s.qs[0].Lease(bg)
		if errors.Is(err, io.EOF) {
			return
		}
		testproc.Must(err)
		s.done.Store(int(d.Value()), 1)
		testproc.Must(d.Ack())
	}
})

// Processes that wait for two queues, and one that gets from one of them, are killed again
// and again: each job is done, and none waits for a look after a while, which nobody makes.
func TestStorm(t *testing.T) {
	r := shmtest.Region(t)
	s, err := openStorm(r)
	testproc.OK(t, err)
	lasts := effort.Storm(t, 20*time.Second)
	ctx, cancel := context.WithTimeout(bg, lasts+testproc.Patience)
	defer cancel()
	start := func(of testproc.RoleName) *testproc.Child {
		c := of.Start(t, "TANDEM_FORCE=norelook", "--", r.Name())
		c.Expect("works")
		return c
	}
	kinds := []testproc.RoleName{stormWorker, stormWorker, stormGetter}
	var cs []*testproc.Child
	for _, k := range kinds {
		cs = append(cs, start(k))
	}
	jobs, kills := 0, 0
	put := func() {
		testproc.OK(t, s.qs[jobs%2].Put(ctx, int64(jobs)))
		jobs++
	}
	for end := time.Now().Add(lasts); time.Now().Before(end); kills++ {
		for range rand.IntN(200) {
			if put(); jobs == stormJobs-1000 {
				end = time.Now()
				break
			}
		}
		i := rand.IntN(len(cs))
		cs[i].Kill()
		cs[i] = start(kinds[i])
	}
	settled := func() {
		t.Helper()
		for _, q := range s.qs {
			testproc.OK(t, q.Join(ctx))
		}
	}
	settled()
	for range 300 { // one by one, and nobody dies whose recovery would wake all
		put()
		settled()
	}
	for i := range jobs {
		if s.done.Load(i) == 0 {
			t.Fatalf("job %d of %d is not done", i, jobs)
		}
	}
	t.Logf("%d jobs, %d kills", jobs, kills)
	testproc.OK(t, s.stop.Set())
	testproc.OK(t, s.qs[0].Shutdown())
	for _, c := range cs {
		testproc.OK(t, c.Wait())
	}
}
