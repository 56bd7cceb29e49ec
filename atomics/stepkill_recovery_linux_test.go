package atomics_test

import (
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// What there is of each form: who leaves its copies, and who recovers those.
type wideHeir struct{ left, guard stepkill.Op }

var (
	openRecoversWide = stepkill.RegisterOpen("open recovers wide values")
	wideHeirs        = func() map[string]wideHeir {
		heirs := map[string]wideHeir{}
		for _, f := range wideForms {
			heirs[f.name] = wideHeir{
				stepkill.Register("wide values are left: "+f.name, func(r *shm.Region) (func() error, error) {
					c, err := f.open(r, "wide", 0)
					return func() error {
						for n := range int64(5) {
							c.store(n)
						}
						return nil
					}, err
				}),
				stepkill.RegisterGuard("guard recovers wide values: "+f.name, func(r *shm.Region) error {
					c, err := f.open(r, "wide", 0)
					if err == nil {
						c.store(100) // it has a copy of the other's for a spare
					}
					return err
				}),
			}
		}
		return heirs
	}()
)

// Wherever the recoverer of a writer dies, and whoever recovers it: the value is whole,
// and all copies come back. An ordinary run has one of the forms.
func TestWideRecoveryKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		by      string
		records int   // 1: the one that attaches must recover to get one
		value   int64 // the one that stored last
	}{{"open", 1, 4}, {"guard", 8, 100}}...) {
		forms := wideForms
		if i, all := stepkill.Pick(t, tt.by, len(forms)); !all {
			forms = forms[i : i+1]
		}
		for _, f := range forms {
			op := openRecoversWide
			if tt.by == "guard" {
				op = wideHeirs[f.name].guard
			}
			t.Run(tt.by+", "+f.name, func(t *testing.T) {
				stepkill.EveryRecovery(t, op, tt.records, func(t *testing.T, r *shm.Region) {
					if _, err := f.open(r, "wide", 50); err != nil {
						t.Fatal(err)
					}
				}, wideHeirs[f.name].left, func(t *testing.T, r *shm.Region, d stepkill.Death) {
					f.inherit(t, r, d, tt.records, tt.value)
				})
			})
		}
	}
}

// inherit is one death.
func (f wideForm) inherit(t *testing.T, r *shm.Region, d stepkill.Death, records int, value int64) {
	c, err := f.open(r, "wide", 0)
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); len(r.Participants()) > 1; time.Sleep(100 * time.Microsecond) {
		if time.Since(start) > testproc.Patience {
			t.Fatalf("a dead process is not recovered: %v", r.Participants())
		}
	}
	if got := c.load(); got != value {
		t.Errorf("after a death %v: %d, want %d", d, got, value)
	}
	if free, want := c.free(), f.spares*records; free != want {
		t.Errorf("after a death %v: %d copies are free, want %d", d, free, want)
	}
	for n := range int64(8) {
		c.store(n)
		if got := c.load(); got != n {
			t.Errorf("after a death %v: stored %d, and it is %d", d, n, got)
		}
	}
	if f.cells > 1 && c.another() != 50 {
		t.Errorf("after a death %v: another cell holds %d", d, c.another())
	}
}
