// Frames passes pictures between processes, and copies none: a camera fills each where
// it is going to lie, and a viewer looks at it there. One viewer is killed with a
// picture in its hands, which then is another's.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

const (
	frames = 100
	size   = 1280 * 720 // bytes of a frame, of a grey each
)

type Args struct {
	Frames *ring.Queue[[]byte]
	Seen   *atomics.Array[int64] // how often each frame was
}

var camera = proc.Register("camera", func(ctx context.Context, a Args) error {
	for i := range frames {
		loan, err := a.Frames.Loan(ctx, size) // no place in the queue yet: it stalls nobody
		if err != nil {
			return err
		}
		picture := loan.Bytes()
		for at := range picture {
			picture[at] = byte(i)
		}
		if err := loan.Put(ctx, size); err != nil {
			return err
		}
	}
	return a.Frames.Shutdown()
})

var viewer = proc.Register("viewer", func(ctx context.Context, a Args) error {
	for frame, err := range a.Frames.Leases(ctx) {
		if err != nil {
			return err
		}
		picture := frame.View() // where it is, until Ack
		if bytes.Count(picture, picture[:1]) != size {
			return fmt.Errorf("frame %d is not of one grey", picture[0])
		}
		atomics.AddAt(a.Seen, int(picture[0]), 1)
		if err := frame.Ack(); err != nil {
			return err
		}
	}
	return nil
})

func main() {
	proc.Main() // in a child this runs its function and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	defer region.Close()
	a := Args{
		Frames: must(ring.OpenQueue[[]byte](region, "frames", &ring.QueueOptions{MaxMessage: size, Buffer: 8 * size})),
		Seen:   must(atomics.OpenArray[int64](region, "seen", frames)),
	}
	var viewers []*proc.Process
	for range 3 {
		viewers = append(viewers, must(viewer.Start(ctx, a, nil)))
	}
	source := must(camera.Start(ctx, a, nil))
	check(viewers[0].Kill())
	viewers[0].Wait(ctx) // it says that it was killed
	check(source.Wait(ctx))
	for _, v := range viewers[1:] {
		check(v.Wait(ctx))
	}
	missed := 0
	for _, n := range a.Seen.All() {
		if n == 0 {
			missed++
		}
	}
	fmt.Println(frames, "frames,", missed, "missed")
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
