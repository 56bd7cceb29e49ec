//go:build tandem_sim

package ring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// Close of the region at every access of a Write, a Read, a ReadFrom of a file or a WriteTo:
// what a call said is what is in the region, to the byte, and none gives out a byte of the
// zeroes.
func TestSimCloseStream(t *testing.T) {
	var sent [4 * 255]byte // what each side sends, from its start or any 255 bytes further on
	for i := range sent {
		sent[i] = 1 + byte(i%255)
	}
	var files, sources [2]*os.File
	for side := range files {
		for name, files := range map[string]*[2]*os.File{"to": &files, "from": &sources} {
			f, err := os.Create(fmt.Sprint(t.TempDir(), "/", name, side))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			files[side] = f
		}
		if _, err := sources[side].Write(sent[:]); err != nil {
			t.Fatal(err)
		}
	}
	o := sim.Options{CloseEvery: 60, MaxCloses: 2, CloseFor: 15, StopEvery: 600, MaxStops: 1, SpuriousEvery: 300}
	sim.Explore(t, 4000, o, func(w *sim.World) {
		c := engine.StreamConfig{Buffer: 64}
		a := mem.Heap(c.Size())
		w.Share(a)
		ops, _ := engine.OpsOf(engine.KindStream)
		w.OnDeath(func(t *sim.Thread, dead engine.Self) {
			if err := ops.Recover(a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		})
		var wrote, read [2]uint64
		var peers [2]*sim.Process
		for side := range peers {
			peers[side] = w.Process(side)
		}
		c.Init(a, peers[0].Self, 1)
		*a.W64(136) = uint64(peers[1].Self.Epoch)<<32 | uint64(peers[1].Self.Index+1) // accepted
		over := func(err error) bool {
			switch {
			case err == nil:
				return false
			case errors.Is(err, shm.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
				return true
			}
			w.Fail("%v", err)
			return true
		}
		for side, p := range peers {
			p.Go("user", func(t *sim.Thread) {
				core := p.Core(engine.KindStream, a)
				eng, err := engine.AttachStream(a, core.Env, side == 0)
				if err != nil {
					if !core.Gate.Closed() {
						w.Fail("open: %v", err)
					}
					return
				}
				conn := newStreamConn(core, eng, streamTestAddr("here"), streamTestAddr("there"), func() {})
				conn.end.closed.Store(true) // the collector is not to close it
				done := 0
				finish := func() {
					if done++; done == 2 {
						p.Close()
					}
				}
				p.Go("reader", func(t *sim.Thread) {
					defer finish()
					came := func(b []byte) {
						for i := range b {
							if b[i] != 1+byte((read[1-side]+uint64(i))%255) {
								w.Fail("byte %d of way %d is %d", read[1-side]+uint64(i), 1-side, b[i])
							}
						}
						read[1-side] += uint64(len(b))
					}
					to := 6 // its Reads
					if w.Rand.IntN(2) == 0 {
						to = w.Rand.IntN(3)
					}
					for range to {
						b := make([]byte, 1+w.Rand.IntN(90))
						n, err := conn.Read(b)
						came(b[:n])
						if err == io.EOF && *a.W64(256 + 256*uint64(1-side)) != read[1-side] {
							w.Fail("io.EOF over bytes of way %d", 1-side)
						}
						if over(err) {
							return
						}
					}
					if to == 6 {
						return
					}
					f := files[side]
					f.Truncate(0)
					f.Seek(0, io.SeekStart)
					n, err := conn.WriteTo(f)
					b := make([]byte, n+1)
					if k, _ := f.ReadAt(b, 0); int64(k) != n {
						w.Fail("%d bytes were written, and %d told", k, n)
						n = int64(k)
					}
					came(b[:n])
					over(err)
				})
				for range 4 {
					from, much := int64(wrote[side]%255), 1+w.Rand.IntN(90)
					var n int64
					var err error
					if w.Rand.IntN(3) == 0 {
						f := sources[side]
						f.Seek(from, io.SeekStart)
						n, err = conn.ReadFrom(io.LimitReader(f, int64(much)))
					} else {
						var k int
						k, err = conn.Write(sent[from:][:much])
						n = int64(k)
					}
					wrote[side] += uint64(n)
					if over(err) {
						break
					}
				}
				finish()
			})
		}
		w.OnStuck(func() bool {
			for _, p := range peers {
				if w.Alive(p.Self) {
					p.Close()
					return true
				}
			}
			return false
		})
		w.AtEnd(func() error {
			if err := ops.Check(a); err != nil {
				return err
			}
			for way := range uint64(2) {
				if is, r := *a.W64(256 + 256*way), *a.W64(384 + 256*way); is != wrote[way] || r != read[way] {
					return fmt.Errorf("way %d: %d written and %d read; %d and %d, said the calls", way, is, r, wrote[way], read[way])
				}
			}
			return nil
		})
	})
}
