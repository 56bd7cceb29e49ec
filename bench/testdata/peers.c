// What C offers between processes, to be timed beside Tandem: pthread's mutex,
// rwlock, condition and barrier, sem_t, and two words to sleep on by futex.
//
// A line "JOB N" on standard input asks for N operations; the answer is
// "NANOSECONDS DONE SHARE": how long they took, how many were done and, where
// two processes compete for them, the smaller one's share. The arguments are
// the processors: this process's, and that of the other one where two are needed.
//
// Of the two neither outlives the other: each waits for the other in many ways,
// none of which knows that somebody died.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE _Alignas(128)

typedef struct {
	LINE pthread_mutex_t pshared;
	LINE pthread_mutex_t robust;
	LINE pthread_rwlock_t rw;
	LINE pthread_cond_t cond;
	LINE pthread_barrier_t alone, both;
	LINE sem_t sem;
	LINE sem_t ping;
	LINE sem_t pong;
	LINE uint32_t word[2]; // the number of the last ping, of the last pong
	LINE long turn;
	LINE long counter;
	LINE uint32_t arrived; // at the gate, ever
	LINE long done[2];
	LINE uint64_t ns[2];
} shared;

static shared *s;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static uint64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin(int cpu) {
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set)) die("sched_setaffinity");
}

static void make(void) {
	s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED) die("mmap");
	pthread_mutexattr_t m;
	pthread_mutexattr_init(&m);
	pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->pshared, &m);
	pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->robust, &m);
	pthread_rwlockattr_t rw;
	pthread_rwlockattr_init(&rw);
	pthread_rwlockattr_setpshared(&rw, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&s->rw, &rw);
	pthread_condattr_t c;
	pthread_condattr_init(&c);
	pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&s->cond, &c);
	pthread_barrierattr_t b;
	pthread_barrierattr_init(&b);
	pthread_barrierattr_setpshared(&b, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->alone, &b, 1);
	pthread_barrier_init(&s->both, &b, 2);
	sem_init(&s->sem, 1, 1);
	sem_init(&s->ping, 1, 0);
	sem_init(&s->pong, 1, 0);
}

static void acquire(sem_t *p) { while (sem_wait(p)) {} }

// Alone, each n times; they return how many times it was done.

static long free_pshared(long n) {
	s->counter = 0;
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&s->pshared);
		s->counter++;
		pthread_mutex_unlock(&s->pshared);
	}
	return s->counter;
}

static long free_robust(long n) {
	s->counter = 0;
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&s->robust);
		s->counter++;
		pthread_mutex_unlock(&s->robust);
	}
	return s->counter;
}

static long free_sem(long n) {
	s->counter = 0;
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
	s->counter = 0;
	for (long i = 0; i < n; i++) {
		pthread_rwlock_wrlock(&s->rw);
		s->counter++;
		pthread_rwlock_unlock(&s->rw);
	}
	return s->counter;
}

static long free_cond(long n) {
	s->counter = 0;
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&s->pshared);
		s->counter++;
		pthread_cond_signal(&s->cond);
		pthread_mutex_unlock(&s->pshared);
	}
	return s->counter;
}

static long free_barrier(long n) {
	long done = 0;
	for (long i = 0; i < n; i++)
		done += pthread_barrier_wait(&s->alone) == PTHREAD_BARRIER_SERIAL_THREAD;
	return done;
}

static long free_add(long n) {
	long *p = &s->counter;
	*p = 0;
	for (long i = 0; i < n; i++) __atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
	return *p;
}

// Two processes. side is 0 or 1; they return what this side has done.

static long fight_mutex(pthread_mutex_t *m, long n) {
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
	}
	while (s->turn != 2 * n) pthread_cond_wait(&s->cond, &s->pshared);
	pthread_mutex_unlock(&s->pshared);
	return side == 0 ? n : 0;
}

static long trip_barrier(int side, long n) {
	long last = 0;
	for (long i = 0; i < n; i++) last += pthread_barrier_wait(&s->both) == PTHREAD_BARRIER_SERIAL_THREAD;
	(void)side;
	return last; // one of the two each round
}

static const struct {
	const char *name;
	long (*alone)(long n);
	long (*two)(int side, long n);
} jobs[] = {
	{"free/pthread-pshared", free_pshared, NULL},
	{"free/pthread-robust", free_robust, NULL},
	{"free/sem_t", free_sem, NULL},
	{"free/pthread-rwlock-read", free_read, NULL},
	{"free/pthread-rwlock-write", free_write, NULL},
	{"free/pthread-cond", free_cond, NULL},
	{"free/pthread-barrier", free_barrier, NULL},
	{"free/fetch_add", free_add, NULL},
	{"contended/pthread-pshared", NULL, fight_pshared},
	{"contended/pthread-robust", NULL, fight_robust},
	{"contended/sem_t", NULL, fight_sem},
	{"readers/pthread-rwlock", NULL, read_both},
	{"trip/futex", NULL, trip_futex},
	{"trip/sem_t", NULL, trip_sem},
	{"trip/pthread-cond", NULL, trip_cond},
	{"trip/pthread-barrier", NULL, trip_barrier},
};

typedef struct { int job; long n; } order;

static void run(int side, order o) {
	if (jobs[o.job].two) { // both begin at once
		uint32_t all = (__atomic_fetch_add(&s->arrived, 1, __ATOMIC_SEQ_CST) / 2 + 1) * 2;
		while (__atomic_load_n(&s->arrived, __ATOMIC_ACQUIRE) < all) sched_yield();
	}
	uint64_t start = now();
	s->done[side] = jobs[o.job].two ? jobs[o.job].two(side, o.n) : jobs[o.job].alone(o.n);
	s->ns[side] = now() - start;
}

static void child_ended(int signum) {
	static const char what[] = "the other process has ended\n";
	(void)signum;
	_exit(write(2, what, sizeof what - 1) < 0 ? 2 : 1);
}

int main(int argc, char **argv) {
	if (argc != 3) return 2;
	make();
	struct sigaction ended = {.sa_handler = child_ended, .sa_flags = SA_NOCLDSTOP};
	if (sigaction(SIGCHLD, &ended, NULL)) die("sigaction");
	pid_t parent = getpid();
	int orders[2], over[2];
	if (pipe(orders) || pipe(over)) die("pipe");
	pid_t child = fork();
	if (child < 0) die("fork");
	if (child == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL)) die("prctl");
		if (getppid() != parent) return 1; // it ended before that
		close(0); // the orders and the answers are the parent's
		close(1);
		close(orders[1]);
		close(over[0]);
		pin(atoi(argv[2]));
		order o;
		while (read(orders[0], &o, sizeof o) == sizeof o) {
			run(1, o);
			if (write(over[1], "", 1) != 1) die("write");
		}
		return 0;
	}
	close(orders[0]);
	close(over[1]);
	pin(atoi(argv[1]));
	char line[128], name[64], c;
	order o;
	while (fgets(line, sizeof line, stdin) && sscanf(line, "%63s %ld", name, &o.n) == 2) {
		const int count = sizeof jobs / sizeof *jobs;
		for (o.job = 0; o.job < count && strcmp(jobs[o.job].name, name); o.job++) {}
		if (o.job == count) {
			fprintf(stderr, "no job %s\n", name);
			return 1;
		}
		s->counter = s->turn = s->done[1] = 0;
		s->ns[1] = 0;
		int two = jobs[o.job].two != NULL;
		if (two && write(orders[1], &o, sizeof o) != sizeof o) die("write");
		run(0, o);
		if (two && read(over[0], &c, 1) != 1) die("read");
		long done = s->done[0] + s->done[1];
		long less = s->done[0] < s->done[1] ? s->done[0] : s->done[1];
		uint64_t ns = s->ns[0] > s->ns[1] ? s->ns[0] : s->ns[1];
		printf("%llu %ld %.3f\n", (unsigned long long)ns, done, done ? (double)less / (double)done : 0);
		fflush(stdout);
	}
	return 0;
}
