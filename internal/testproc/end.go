package testproc

// Exit is how a goroutine ends that calls runtime.Goexit.
const Exit = "exit"

// EndOf calls f on a goroutine of its own, and returns how f ends: nil if it
// returns, Exit, or the value that it panics with.
func EndOf(f func()) any {
	c := make(chan any)
	go func() {
		var how any = Exit
		defer func() {
			if p := recover(); p != nil {
				how = p
			}
			c <- how
		}()
		f()
		how = nil
	}()
	return <-c
}
