// Package waitany tests shm.WaitAny and Poll: over all kinds of things that can be waited
// for, beside those who take them, whoever dies, is stopped, or closes something.
package waitany
