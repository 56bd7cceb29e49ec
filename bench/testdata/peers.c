// What C offers between processes, to be timed beside Tandem: locks.c has
// pthread's, sem_t and a bare futex; rings.c and blocks.c have queues as one
// writes them where nobody dies.
//
// The arguments are how many processes there are to be and, if each is to be
// pinned, their processors. A line "JOB N" on standard input asks for N
// operations; the answer is "NANOSECONDS DONE SHARE": how long they took, how
// many were done and, where processes compete for them, the smallest one's
// share. "JOB N timed" asks for round trips, and how often each took how many
// nanoseconds follows, "NANOSECONDS:TIMES", rounded to a 512th.
//
// No process outlives another: each waits for others in many ways, none of
// which knows that somebody died.
#define _GNU_SOURCE
#include "peers.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64 };

typedef struct {
	LINE uint32_t arrived; // at the gate, ever
	struct {
		LINE long done;
		uint64_t ns;
	} of[MOST];
} results;

static results *s;

int sides, timed;

void die(const char *what) {
	perror(what);
	exit(1);
}

void give_way(void) { sched_yield(); }

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

void *share(size_t size) {
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) die("mmap");
	memset(p, 0, size);
	return p;
}

void make_mutex(pthread_mutex_t *m, int robust) {
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	if (robust) pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(m, &a);
}

void make_cond(pthread_cond_t *c) {
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(c, &a);
}

// How often a trip took how long. Up to 1023 ns each number has its count, from
// there on each 512th of a power of two.
static uint32_t times[56 * 512];
static uint64_t since;

void note(void) {
	uint64_t t = now(), ns = t - since;
	int k = 0;
	while (ns >> k > 1023) k++;
	times[512 * k + (int)(ns >> k)]++;
	since = t;
}

static void tell_times(void) {
	for (int i = 0; i < (int)(sizeof times / sizeof *times); i++) {
		int k = i < 1024 ? 0 : i / 512 - 1;
		if (times[i]) printf(" %llu:%u", (unsigned long long)(i - 512 * k) << k, times[i]);
	}
}

static const job *find(const char *name) {
	const job *all[] = {lock_jobs, ring_jobs, block_jobs};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		for (const job *j = all[i]; j->name; j++)
			if (!strcmp(j->name, name)) return j;
	fprintf(stderr, "no job %s\n", name);
	exit(1);
}

typedef struct { const job *job; long n; int timed; } order;

static void run(int side, order o) {
	if (o.job->together) { // all begin at once
		uint32_t n = (uint32_t)sides;
		uint32_t all = (__atomic_fetch_add(&s->arrived, 1, __ATOMIC_SEQ_CST) / n + 1) * n;
		while (__atomic_load_n(&s->arrived, __ATOMIC_ACQUIRE) < all) sched_yield();
	}
	timed = o.timed && side == 0;
	uint64_t start = since = now();
	s->of[side].done = o.job->together ? o.job->together(side, o.n) : o.job->alone(o.n);
	s->of[side].ns = now() - start;
}

static void other(int side, int orders, int over) {
	order o;
	while (read(orders, &o, sizeof o) == sizeof o) {
		run(side, o);
		if (write(over, "", 1) != 1) die("write");
	}
}

static void answer(void) {
	long done = 0, least = s->of[0].done;
	uint64_t ns = 0;
	for (int i = 0; i < sides; i++) {
		done += s->of[i].done;
		if (s->of[i].done < least) least = s->of[i].done;
		if (s->of[i].ns > ns) ns = s->of[i].ns;
	}
	int compete = sides > 1 && done > 0;
	printf("%llu %ld %.3f", (unsigned long long)ns, done, compete ? (double)least / (double)done : 0);
	if (timed) tell_times();
	printf("\n");
	fflush(stdout);
}

static void child_ended(int signum) {
	static const char what[] = "another process has ended\n";
	(void)signum;
	_exit(write(2, what, sizeof what - 1) < 0 ? 2 : 1);
}

int main(int argc, char **argv) {
	if (argc < 2 || (sides = atoi(argv[1])) < 1 || sides > MOST || (argc > 2 && argc < 2 + sides)) return 2;
	s = share(sizeof *s);
	make_locks();
	make_rings();
	make_blocks();
	struct sigaction ended = {.sa_handler = child_ended, .sa_flags = SA_NOCLDSTOP};
	if (sigaction(SIGCHLD, &ended, NULL)) die("sigaction");
	pid_t parent = getpid();
	int orders[MOST][2], over[2];
	if (pipe(over)) die("pipe");
	for (int side = 1; side < sides; side++) {
		if (pipe(orders[side])) die("pipe");
		pid_t child = fork();
		if (child < 0) die("fork");
		if (child) {
			close(orders[side][0]);
			continue;
		}
		if (prctl(PR_SET_PDEATHSIG, SIGKILL)) die("prctl");
		if (getppid() != parent) return 1; // it ended before that
		close(0); // the orders and the answers are the parent's
		close(1);
		close(over[0]);
		for (int i = 1; i <= side; i++) close(orders[i][1]);
		if (argc > 2) pin(atoi(argv[2 + side]));
		other(side, orders[side][0], over[1]);
		return 0;
	}
	close(over[1]);
	if (argc > 2) pin(atoi(argv[2]));
	char line[128], name[64], word[16], c;
	for (;;) {
		order o = {0};
		if (!fgets(line, sizeof line, stdin)) break;
		int fields = sscanf(line, "%63s %ld %15s", name, &o.n, word);
		if (fields < 2) break;
		o.timed = fields == 3;
		o.job = find(name);
		reset_locks();
		memset(times, 0, sizeof times);
		memset(s->of, 0, sizeof s->of);
		int others = o.job->together ? sides : 1;
		for (int side = 1; side < others; side++)
			if (write(orders[side][1], &o, sizeof o) != sizeof o) die("write");
		run(0, o);
		for (int side = 1; side < others; side++)
			if (read(over[0], &c, 1) != 1) die("read");
		answer();
	}
	signal(SIGCHLD, SIG_IGN); // at the end the others end, too
	return 0;
}
