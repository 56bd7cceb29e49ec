// What the files of the peers in C have in common. peers.c has the processes and
// their orders, the others have the jobs.
#ifndef PEERS_H
#define PEERS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define LINE _Alignas(128) // alone: processors fetch lines in pairs
#define INLINE static inline __attribute__((always_inline))

// A job is done by one process, or by several together, each of which is a side.
// It returns how many of the n operations the caller has done.
typedef struct {
	const char *name;
	long (*alone)(long n);
	long (*together)(int side, long n);
} job;

// They end with one that has no name.
extern const job lock_jobs[], ring_jobs[], block_jobs[];

// Called once, before there is more than one process.
void make_locks(void);
void make_rings(void);
void make_blocks(void);

// Called before each job.
void reset_locks(void);

extern int sides;   // how many processes there are
extern int timed;   // this side notes how long each trip takes
void note(void);    // that a trip is over

void *share(size_t size); // memory of all processes, zeroes; they come to it from the fork
void make_mutex(pthread_mutex_t *m, int robust);
void make_cond(pthread_cond_t *c);
void die(const char *what);

INLINE void tick(void) {
	if (timed) note();
}

INLINE void relax(void) {
#if defined __x86_64__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ volatile("isb");
#endif
}

void give_way(void);

// rest is what a look is followed by that has found nothing.
INLINE void rest(unsigned *looks) {
	relax();
	if (++*looks % 4096 == 0) give_way(); // the other may wait for this processor
}

#endif
