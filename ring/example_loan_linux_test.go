package ring_test

import (
	"context"
	"fmt"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A picture is written where its reader finds it, and read where it was written: it
// is copied nowhere, however large it is.
func ExampleQueue_Loan() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	pictures, err := ring.OpenQueue[[]byte](region, "pictures", &ring.QueueOptions{MaxMessage: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}

	loan, err := pictures.Loan(ctx, 1<<20) // waits for memory, and for no place in the queue
	if err != nil {
		fmt.Println(err)
		return
	}
	n := draw(loan.Bytes())                  // take your time: nobody waits for this
	if err := loan.Put(ctx, n); err != nil { // or Drop; or die, and it goes back
		fmt.Println(err)
		return
	}

	d, err := pictures.Lease(ctx) // in another process, most often
	if err != nil {
		fmt.Println(err)
		return
	}
	seen := d.View() // until Ack
	fmt.Println(len(seen), seen[0], seen[len(seen)-1])
	fmt.Println(d.Ack())
	// Output:
	// 786432 0 255
	// <nil>
}

// draw draws a picture of 512×512 points, and returns how many bytes it has.
func draw(b []byte) int {
	const size = 512
	for i := range size * size {
		b[3*i], b[3*i+1], b[3*i+2] = byte(i/size), byte(i%size), byte(i)
	}
	return 3 * size * size
}

// One buffer serves for all messages.
func ExampleQueue_GetInto() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	lines, err := ring.OpenQueue[[]byte](region, "lines", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	buf := make([]byte, 0, 4096)
	for _, line := range []string{"one", "and another"} {
		if err := lines.Put(ctx, []byte(line)); err != nil {
			fmt.Println(err)
			return
		}
		if err := lines.GetInto(ctx, &buf); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %d of %d\n", buf, len(buf), cap(buf))
	}
	// Output:
	// one: 3 of 4096
	// and another: 11 of 4096
}
