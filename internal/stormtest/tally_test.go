package stormtest

import (
	"fmt"
	"strings"
	"testing"
)

// A recorder is a test that notes what is said to be wrong.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Errorf(format string, a ...any) {
	r.said = append(r.said, fmt.Sprintf(format, a...))
}

// What a tally says of results that do not balance, and of those that do.
func TestTally(t *testing.T) {
	for _, tt := range []struct {
		name    string
		results []outcome
		noted   []int64
		exactly bool
		want    string
	}{
		{"each once", []outcome{{1, 1, 1, true}, {1, 2, 0, true}, {2, 1, 2, true}}, []int64{0, 2, 1}, true, ""},
		{"one is lost", []outcome{{1, 1, 1, false}, {1, 3, 1, false}}, []int64{0, 3}, false, "1 of 3 committed messages are lost"},
		{"one is delivered again", []outcome{{1, 1, 1, false}, {1, 1, 2, false}}, []int64{0, 1}, false, ""},
		{"with the same attempt", []outcome{{1, 1, 1, false}, {1, 1, 1, false}}, []int64{0, 1}, false, "came twice with attempt 1"},
		{"done, and delivered again", []outcome{{1, 1, 1, true}, {1, 1, 2, false}}, []int64{0, 1}, false, "done with attempt 1, and came again with 2"},
		{"overtaken by the last", []outcome{{1, 1, 2, true}, {1, 1, 1, false}}, []int64{0, 1}, true, ""},
		{"done twice", []outcome{{1, 1, 0, true}, {1, 1, 1, true}}, []int64{0, 1}, false, "done twice"},
		{"never done", []outcome{{1, 1, 1, false}}, []int64{0, 1}, true, "1 tasks were put, 1 delivered and 0 done"},
		{"done, and not put", []outcome{{1, 1, 1, true}, {1, 2, 1, true}}, []int64{0, 1}, true, "1 tasks were put, 2 delivered and 2 done"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{TB: t}
			y := newTally(r)
			for _, o := range tt.results {
				y.add(o)
			}
			y.balance(tt.noted, tt.exactly)
			if said := strings.Join(r.said, "; "); tt.want == "" && said != "" || !strings.Contains(said, tt.want) {
				t.Errorf("it says %q, want %q", said, tt.want)
			}
		})
	}
}

// Of many tasks it keeps little, and still tells what is done twice.
func TestTallyForgets(t *testing.T) {
	r := &recorder{TB: t}
	y := newTally(r)
	for seq := range int64(3 * recent) {
		y.add(outcome{1, seq, 1, true})
	}
	if len(y.late) != recent || len(y.order) != recent {
		t.Errorf("it keeps %d, %d, want %d", len(y.late), len(y.order), recent)
	}
	y.add(outcome{1, 1, 2, true})
	if len(r.said) != 1 || y.Again != 1 {
		t.Errorf("it says %q, %d again", r.said, y.Again)
	}
}
