package sync_test

import (
	"errors"
	"io/fs"
	"math"
	"runtime"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Beside what any OpenX refuses: see test/handles.
func TestOpenSemaphoreErrors(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		k.in(t, r, "there", 3)
		for _, tt := range []struct {
			r       *shm.Region
			name    string
			initial int
			want    error
		}{
			{r, "new", -2, fs.ErrInvalid},
			{r, "new", math.MinInt, fs.ErrInvalid},
			{r, "new", 16_777_216, fs.ErrInvalid},
			{r, "there", -2, fs.ErrInvalid},
			{r, "there", 16_777_216, fs.ErrInvalid},
			{r, "new", -1, fs.ErrNotExist},
			{r, "there", -1, nil},
			{r, "there", 0, nil},
			{r, "there", 16_777_215, nil},
			{r.Existing(), "there", 1, nil},
			{r, "largest", 16_777_215, nil},
			{r, "empty", 0, nil},
		} {
			s, err := k.open(tt.r, tt.name, tt.initial)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || (s == nil) != (err != nil) {
				t.Errorf("open of %q with %d = %v, %v; want %v", tt.name, tt.initial, s, err, tt.want)
			}
			if err == nil && tt.name == "there" {
				wantValue(t, s, 3)
			}
		}
	})
}

// The two kinds are two.
func TestSemaphoreKindsDiffer(t *testing.T) {
	r := shmtest.Region(t)
	for i, k := range semaphoreKinds {
		other := semaphoreKinds[1-i]
		s := k.in(t, r, k.name, 1)
		if _, err := other.open(r, k.name, 1); !errors.Is(err, shm.ErrMismatch) {
			t.Errorf("a %s semaphore opened as a %s one: %v", k.name, other.name, err)
		}
		b, err := s.MarshalBinary()
		must(t, err)
		if err := other.zero().UnmarshalBinary(b); !errors.Is(err, shm.ErrMismatch) {
			t.Errorf("a %s semaphore arrives as a %s one: %v", k.name, other.name, err)
		}
		if err := new(sync.Mutex).UnmarshalBinary(b); !errors.Is(err, shm.ErrMismatch) {
			t.Errorf("a %s semaphore arrives as a mutex: %v", k.name, err)
		}
	}
}

func TestSemaphoreTravels(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, "s", 4)
		b, err := s.MarshalBinary()
		must(t, err)
		other := k.zero()
		must(t, other.UnmarshalBinary(b))
		wantTry(t, other, true)
		wantValue(t, s, 3)
		must(t, r.Remove("s"))
		if err := k.zero().UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a handle on what was removed arrives: %v", err)
		}
		if err := k.zero().UnmarshalBinary([]byte("rubbish")); err == nil {
			t.Error("rubbish arrives")
		}
		must(t, s.Release(1)) // those who have it open go on
		wantValue(t, other, 4)
	})
}

// Close gives back what was held, wakes who waits, and ends every handle.
func TestSemaphoreRegionCloses(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, "s", 2)
		must(t, s.Acquire(background))
		must(t, s.Acquire(background))
		told := make(chan error)
		for range 2 {
			go func() { told <- s.Acquire(background) }()
		}
		shmtest.AwaitWaiting(t, r, "s", 2)
		must(t, r.Close())
		for range 2 {
			if err := <-told; !errors.Is(err, shm.ErrClosed) {
				t.Errorf("a waiter in a region that closes is told %v", err)
			}
		}
		_, tryErr := s.TryAcquire()
		_, openErr := k.open(r, "s", 2)
		_, marshalErr := s.MarshalBinary()
		for name, err := range map[string]error{"Acquire": s.Acquire(background), "TryAcquire": tryErr, "Release": s.Release(1),
			"Release(0)": s.Release(0), "open": openErr, "MarshalBinary": marshalErr} {
			if !errors.Is(err, shm.ErrClosed) {
				t.Errorf("%s in a closed region = %v", name, err)
			}
		}
		wantValue(t, s, 0)
		r, err := shm.Open(r.Name(), nil)
		must(t, err)
		t.Cleanup(func() { r.Close() })
		wantValue(t, k.in(t, r, "s", -1), 2)
	})
}

// Close beside a goroutine that acquires and releases: never a permit lost, or
// one too many.
func TestSemaphoreRegionClosesAnywhere(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		for range 50 {
			s := k.in(t, r, "s", 3)
			wantValue(t, s, 3)
			done := make(chan error)
			must(t, s.Acquire(background))
			must(t, s.Release(1))
			go func() {
				for {
					err := s.Acquire(background)
					if err == nil {
						err = s.Release(1)
					}
					if err != nil {
						done <- err
						return
					}
				}
			}()
			runtime.Gosched()
			must(t, r.Close())
			if err := <-done; !errors.Is(err, shm.ErrClosed) {
				t.Fatal(err)
			}
			var err error
			r, err = shm.Open(r.Name(), nil)
			must(t, err)
		}
		must(t, r.Close())
	})
}
