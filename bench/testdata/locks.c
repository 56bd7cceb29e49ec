// pthread's mutex, rwlock, condition and barrier, sem_t, an event as one writes
// it with pthread, and two words to sleep on by futex.
#define _GNU_SOURCE
#include "peers.h"

#include <linux/futex.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct {
	LINE pthread_mutex_t pshared;
	LINE pthread_mutex_t robust;
	LINE pthread_mutex_t recursive; // robust, too
	LINE pthread_rwlock_t rw;
	LINE pthread_cond_t cond;
	LINE pthread_barrier_t alone, both;
	LINE sem_t sem;
	LINE sem_t ping;
	LINE sem_t pong;
	LINE uint32_t word[2]; // the number of the last ping, of the last pong
	LINE uint64_t line;    // where it is
	LINE long turn;
	LINE long counter;
	LINE uint64_t seq; // odd while somebody writes
	LINE long page[8];
	LINE pthread_mutex_t flag_lock;
	pthread_cond_t flag_set;
	int flag;
} locks;

static locks *s;

void make_locks(void) {
	s = share(sizeof *s);
	make_mutex(&s->pshared, 0);
	make_mutex(&s->robust, 1);
	make_mutex(&s->flag_lock, 0);
	make_cond(&s->cond);
	make_cond(&s->flag_set);
	pthread_mutexattr_t m;
	pthread_mutexattr_init(&m);
	pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&m, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&s->recursive, &m);
	pthread_rwlockattr_t rw;
	pthread_rwlockattr_init(&rw);
	pthread_rwlockattr_setpshared(&rw, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&s->rw, &rw);
	pthread_barrierattr_t b;
	pthread_barrierattr_init(&b);
	pthread_barrierattr_setpshared(&b, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->alone, &b, 1);
	pthread_barrier_init(&s->both, &b, 2);
	sem_init(&s->sem, 1, 1);
	sem_init(&s->ping, 1, 0);
	sem_init(&s->pong, 1, 0);
}

void reset_locks(void) { s->counter = s->turn = 0; }

static void acquire(sem_t *p) { while (sem_wait(p)) {} }

// Alone, each n times; they return how many times it was done.

INLINE long free_mutex(pthread_mutex_t *m, long n) {
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(m);
		s->counter++;
		pthread_mutex_unlock(m);
	}
	return s->counter;
}

static long free_pshared(long n) { return free_mutex(&s->pshared, n); }
static long free_robust(long n) { return free_mutex(&s->robust, n); }
static long free_recursive(long n) { return free_mutex(&s->recursive, n); }

static long free_again(long n) {
	pthread_mutex_lock(&s->recursive);
	long done = free_mutex(&s->recursive, n);
	pthread_mutex_unlock(&s->recursive);
	return done;
}

static long free_sem(long n) {
	for (long i = 0; i < n; i++) {
		acquire(&s->sem);
		s->counter++;
		sem_post(&s->sem);
	}
	return s->counter;
}

static long free_read(long n) {
	long done = 0;
	for (long i = 0; i < n; i++) {
		done += !pthread_rwlock_rdlock(&s->rw);
		pthread_rwlock_unlock(&s->rw);
	}
	return done;
}

static long free_write(long n) {
	for (long i = 0; i < n; i++) {
		pthread_rwlock_wrlock(&s->rw);
		s->counter++;
		pthread_rwlock_unlock(&s->rw);
	}
	return s->counter;
}

static long free_cond(long n) {
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&s->pshared);
		s->counter++;
		pthread_cond_signal(&s->cond);
		pthread_mutex_unlock(&s->pshared);
	}
	return s->counter;
}

static long free_signal(long n) {
	for (long i = 0; i < n; i++) s->counter += !pthread_cond_signal(&s->cond);
	return s->counter;
}

static void set_flag(int flag) {
	pthread_mutex_lock(&s->flag_lock);
	s->flag = flag;
	if (flag) pthread_cond_broadcast(&s->flag_set);
	pthread_mutex_unlock(&s->flag_lock);
}

static long free_event(long n) {
	long done = 0;
	for (long i = 0; i < n; i++) {
		set_flag(1);
		done += __atomic_load_n(&s->flag, __ATOMIC_ACQUIRE);
		set_flag(0);
	}
	return done;
}

static long free_barrier(long n) {
	long done = 0;
	for (long i = 0; i < n; i++)
		done += pthread_barrier_wait(&s->alone) == PTHREAD_BARRIER_SERIAL_THREAD;
	return done;
}

static long free_add(long n) {
	long *p = &s->counter;
	for (long i = 0; i < n; i++) __atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
	return *p;
}

// A seqlock of one writer: see Boehm, Can seqlocks get along with programming language
// memory models? (MSPC 2012).
INLINE void write_page(long v) {
	uint64_t seq = s->seq;
	__atomic_store_n(&s->seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (int i = 0; i < 8; i++) __atomic_store_n(&s->page[i], v, __ATOMIC_RELAXED);
	__atomic_store_n(&s->seq, seq + 2, __ATOMIC_RELEASE);
}

INLINE void read_page(long *page) {
	for (unsigned looks = 0;; rest(&looks)) {
		uint64_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
		for (int i = 0; i < 8; i++) page[i] = __atomic_load_n(&s->page[i], __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (seq % 2 == 0 && __atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq) return;
	}
}

static long free_seqlock(long n) {
	long done = 0, page[8];
	for (long i = 0; i < n; i++) {
		write_page(i);
		read_page(page);
		done += page[0] == i && page[7] == i;
	}
	return done;
}

// Several processes; they return what this side has done.

static long watch_seqlock(int side, long n) {
	long done = 0, page[8];
	if (side == 0) {
		for (long i = 0; !__atomic_load_n(&s->turn, __ATOMIC_ACQUIRE); i++) write_page(i);
		return 0;
	}
	for (long i = 0; i < n; i++) {
		read_page(page);
		done += page[0] == page[7];
	}
	__atomic_store_n(&s->turn, 1, __ATOMIC_RELEASE);
	return done;
}

INLINE long fight_mutex(pthread_mutex_t *m, long n) {
	for (long mine = 0;; mine++) {
		pthread_mutex_lock(m);
		int over = s->counter == n;
		s->counter += !over;
		pthread_mutex_unlock(m);
		if (over) return mine;
	}
}

static long fight_pshared(int side, long n) { (void)side; return fight_mutex(&s->pshared, n); }
static long fight_robust(int side, long n) { (void)side; return fight_mutex(&s->robust, n); }

static long fight_sem(int side, long n) {
	(void)side;
	for (long mine = 0;; mine++) {
		acquire(&s->sem);
		int over = s->counter == n;
		s->counter += !over;
		sem_post(&s->sem);
		if (over) return mine;
	}
}

static long read_both(int side, long n) {
	long done = 0;
	for (long i = side; i < n; i += 2) {
		pthread_rwlock_rdlock(&s->rw);
		done += 1 - s->turn;
		pthread_rwlock_unlock(&s->rw);
	}
	return done;
}

static long trip_line(int side, long n) {
	uint64_t last = s->line - s->line % 2; // which is even before side 0 writes it
	for (long i = 0; i < n; i++, last += 2) {
		if (side == 0) __atomic_store_n(&s->line, last + 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&s->line, __ATOMIC_ACQUIRE) != last + (side == 0 ? 2 : 1)) {}
		if (side == 1) __atomic_store_n(&s->line, last + 2, __ATOMIC_RELEASE);
		tick();
	}
	return side == 0 ? n : 0;
}

static void sleep_while(uint32_t *w, uint32_t v) {
	while (__atomic_load_n(w, __ATOMIC_ACQUIRE) == v) syscall(SYS_futex, w, FUTEX_WAIT, v, NULL, NULL, 0);
}

static void tell(uint32_t *w) {
	__atomic_fetch_add(w, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, w, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long trip_futex(int side, long n) {
	uint32_t last = s->word[1]; // which side 1 alone changes, after its first wait
	for (long i = 0; i < n; i++) {
		if (side == 0) {
			tell(&s->word[0]);
			sleep_while(&s->word[1], last++);
			tick();
		} else {
			sleep_while(&s->word[0], last++);
			tell(&s->word[1]);
		}
	}
	return side == 0 ? n : 0;
}

static long trip_sem(int side, long n) {
	for (long i = 0; i < n; i++) {
		if (side == 0) {
			sem_post(&s->ping);
			acquire(&s->pong);
			tick();
		} else {
			acquire(&s->ping);
			sem_post(&s->pong);
		}
	}
	return side == 0 ? n : 0;
}

// Even turns are side 0's, odd ones side 1's; the last is even.
static long trip_cond(int side, long n) {
	pthread_mutex_lock(&s->pshared);
	for (long i = 0; i < n; i++) {
		while (s->turn % 2 != side) pthread_cond_wait(&s->cond, &s->pshared);
		s->turn++;
		pthread_cond_signal(&s->cond);
		tick();
	}
	while (s->turn != 2 * n) pthread_cond_wait(&s->cond, &s->pshared);
	pthread_mutex_unlock(&s->pshared);
	return side == 0 ? n : 0;
}

static long trip_barrier(int side, long n) {
	long last = 0;
	for (long i = 0; i < n; i++) {
		last += pthread_barrier_wait(&s->both) == PTHREAD_BARRIER_SERIAL_THREAD;
		tick();
	}
	(void)side;
	return last; // one of the two each round
}

const job lock_jobs[] = {
	{"free/pthread-pshared", free_pshared, NULL},
	{"free/pthread-robust", free_robust, NULL},
	{"free/pthread-recursive", free_recursive, NULL},
	{"free/pthread-recursive-again", free_again, NULL},
	{"free/sem_t", free_sem, NULL},
	{"free/pthread-rwlock-read", free_read, NULL},
	{"free/pthread-rwlock-write", free_write, NULL},
	{"free/pthread-cond", free_cond, NULL},
	{"free/pthread-cond-signal", free_signal, NULL},
	{"free/pthread-event", free_event, NULL},
	{"free/pthread-barrier", free_barrier, NULL},
	{"free/fetch_add", free_add, NULL},
	{"free/seqlock-64", free_seqlock, NULL},
	{"watch/seqlock-64", NULL, watch_seqlock},
	{"contended/pthread-pshared", NULL, fight_pshared},
	{"contended/pthread-robust", NULL, fight_robust},
	{"contended/sem_t", NULL, fight_sem},
	{"readers/pthread-rwlock", NULL, read_both},
	{"line/cache-line-in-C", NULL, trip_line},
	{"trip/futex", NULL, trip_futex},
	{"trip/sem_t", NULL, trip_sem},
	{"trip/pthread-cond", NULL, trip_cond},
	{"trip/pthread-barrier", NULL, trip_barrier},
	{0},
};
