// Queues between processes as one writes them where nobody dies: each jams for
// good when a process is killed in the middle of it, except the locked one,
// which goes on.
//
//	mpmc    Vyukov's bounded queue (1024cores.net, 2010). A slot's sequence is
//	        its position when it is free for it, one more when it is full
//	spsc    Lamport's ring (1983), with one's own copy of the other's index,
//	        read anew when the ring seems full, or empty
//	locked  a ring, its indexes under a robust mutex, and two conditions
//
// Who waits at the first two looks again and again.
#define _GNU_SOURCE
#include "peers.h"

#include <errno.h>
#include <string.h>

enum { CAPACITY = 4096, WIDEST = 128 };

typedef struct {
	LINE uint64_t tail;      // mpmc, locked: next to be filled; spsc: the producer's
	LINE uint64_t head;      // next to be emptied
	LINE uint64_t head_seen; // spsc: the producer's copy
	LINE uint64_t tail_seen; // spsc: the consumer's copy
	LINE pthread_mutex_t lock;
	LINE pthread_cond_t room;
	LINE pthread_cond_t message;
	LINE char slots[CAPACITY * WIDEST];
} ring;

// One for each form and size of message, and its twin for the way back.
enum { MPMC8, MPMC64, SPSC8, SPSC64, LOCKED8, LOCKED64, FORMS };

static ring *rings; // [2 * FORMS]

typedef struct { uint64_t number[8]; } message64;

void make_rings(void) {
	rings = share(2 * FORMS * sizeof *rings);
	for (int i = 0; i < 2 * FORMS; i++) {
		make_mutex(&rings[i].lock, 1);
		make_cond(&rings[i].room);
		make_cond(&rings[i].message);
		size_t stride = i / 2 == MPMC8 ? 16 : 128;
		if (i / 2 <= MPMC64)
			for (uint64_t k = 0; k < CAPACITY; k++) memcpy(rings[i].slots + k * stride, &k, sizeof k);
	}
}

INLINE uint64_t relaxed(uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
INLINE uint64_t load(uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
INLINE void store(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

INLINE int take(uint64_t *p, uint64_t *pos) {
	return __atomic_compare_exchange_n(p, pos, *pos + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

INLINE char *slot(ring *r, uint64_t pos, size_t stride) { return r->slots + pos % CAPACITY * stride; }

// A slot of the mpmc ring is a sequence and the message.
INLINE size_t width(size_t size) { return size == 8 ? 16 : 128; }

// claim is of the position whose slot has the sequence that is lead ahead of it.
INLINE char *claim(ring *r, uint64_t *index, uint64_t lead, size_t size, uint64_t *pos) {
	*pos = relaxed(index);
	for (unsigned looks = 0;;) {
		char *at = slot(r, *pos, width(size));
		int64_t ahead = (int64_t)(load((uint64_t *)at) - (*pos + lead));
		if (ahead == 0) {
			if (take(index, pos)) return at;
			continue; // pos is what it is now
		}
		if (ahead < 0) rest(&looks);
		*pos = relaxed(index);
	}
}

INLINE void mpmc_put(ring *r, const void *m, size_t size) {
	uint64_t pos;
	char *at = claim(r, &r->tail, 0, size, &pos);
	memcpy(at + 8, m, size);
	store((uint64_t *)at, pos + 1);
}

INLINE void mpmc_get(ring *r, void *m, size_t size) {
	uint64_t pos;
	char *at = claim(r, &r->head, 1, size, &pos);
	memcpy(m, at + 8, size);
	store((uint64_t *)at, pos + CAPACITY);
}

INLINE void spsc_put(ring *r, const void *m, size_t size) {
	uint64_t tail = relaxed(&r->tail);
	for (unsigned looks = 0; tail - r->head_seen == CAPACITY;)
		if ((r->head_seen = load(&r->head)) + CAPACITY == tail) rest(&looks);
	memcpy(slot(r, tail, size), m, size);
	store(&r->tail, tail + 1);
}

INLINE void spsc_get(ring *r, void *m, size_t size) {
	uint64_t head = relaxed(&r->head);
	for (unsigned looks = 0; head == r->tail_seen;)
		if ((r->tail_seen = load(&r->tail)) == head) rest(&looks);
	memcpy(m, slot(r, head, size), size);
	store(&r->head, head + 1);
}

// What a dead one left is whole: an index grows after the copy.
static void lock(ring *r) {
	if (pthread_mutex_lock(&r->lock) == EOWNERDEAD) pthread_mutex_consistent(&r->lock);
}

static void wait_for(ring *r, pthread_cond_t *c) {
	if (pthread_cond_wait(c, &r->lock) == EOWNERDEAD) pthread_mutex_consistent(&r->lock);
}

INLINE void locked_put(ring *r, const void *m, size_t size) {
	lock(r);
	while (r->tail - r->head == CAPACITY) wait_for(r, &r->room);
	memcpy(slot(r, r->tail, size), m, size);
	r->tail++;
	pthread_cond_signal(&r->message);
	pthread_mutex_unlock(&r->lock);
}

INLINE void locked_get(ring *r, void *m, size_t size) {
	lock(r);
	while (r->tail == r->head) wait_for(r, &r->message);
	memcpy(m, slot(r, r->head, size), size);
	r->head++;
	pthread_cond_signal(&r->room);
	pthread_mutex_unlock(&r->lock);
}

// Message i is the number i, with zeroes behind it.
#define NUMBERED(T, m, i) T m = {0}; memcpy(&m, &(uint64_t){(uint64_t)(i)}, 8)
INLINE uint64_t number(const void *m) { uint64_t i; memcpy(&i, m, 8); return i; }

#define JOBS(form, FORM, T, SIZE) \
	static long free_##form##SIZE(long n) { \
		ring *r = &rings[2 * FORM##SIZE]; \
		long done = 0; \
		for (long i = 0; i < n; i++) { \
			NUMBERED(T, m, i); \
			form##_put(r, &m, SIZE); \
			form##_get(r, &m, SIZE); \
			done += number(&m) == (uint64_t)i; \
		} \
		return done; \
	} \
	static long stream_##form##SIZE(int side, long n) { \
		ring *r = &rings[2 * FORM##SIZE]; \
		long done = 0; \
		for (long i = 0; i < n; i++) { \
			NUMBERED(T, m, i); \
			if (side == 0) { \
				form##_put(r, &m, SIZE); \
				continue; \
			} \
			form##_get(r, &m, SIZE); \
			done += number(&m) == (uint64_t)i; \
		} \
		return done; \
	} \
	static long trip_##form##SIZE(int side, long n) { \
		ring *there = &rings[2 * FORM##SIZE], *back = there + 1; \
		long done = 0; \
		for (long i = 0; i < n; i++) { \
			NUMBERED(T, m, i); \
			if (side == 1) { \
				form##_get(there, &m, SIZE); \
				form##_put(back, &m, SIZE); \
				continue; \
			} \
			form##_put(there, &m, SIZE); \
			form##_get(back, &m, SIZE); \
			done += number(&m) == (uint64_t)i; \
			tick(); \
		} \
		return done; \
	}

JOBS(mpmc, MPMC, uint64_t, 8)
JOBS(mpmc, MPMC, message64, 64)
JOBS(spsc, SPSC, uint64_t, 8)
JOBS(spsc, SPSC, message64, 64)
JOBS(locked, LOCKED, uint64_t, 8)
JOBS(locked, LOCKED, message64, 64)

// Half of the processes put, the others get, each its part of n messages. A
// message is a producer and its number there, which grows.
#define MANY(form, FORM) \
	static long many_##form(int side, long n) { \
		ring *r = &rings[2 * FORM##8]; \
		uint64_t last[64] = {0}; \
		long parts = sides / 2, part = side / 2, done = 0; \
		for (long i = part; i < n; i += parts) { \
			uint64_t m = (uint64_t)part << 48 | (uint64_t)(i + 1); \
			if (side % 2 == 0) { \
				form##_put(r, &m, 8); \
				continue; \
			} \
			form##_get(r, &m, 8); \
			uint64_t *of = &last[m >> 48 & 63], its = m & 0xffffffffffff; \
			done += *of < its; \
			*of = its; \
		} \
		return done; \
	}

MANY(mpmc, MPMC)
MANY(locked, LOCKED)

#define OF(form, SIZE) \
	{"free/" #form "-ring-" #SIZE, free_##form##SIZE, NULL}, \
	{"stream/" #form "-ring-" #SIZE, NULL, stream_##form##SIZE}, \
	{"trip/" #form "-ring-" #SIZE, NULL, trip_##form##SIZE}

const job ring_jobs[] = {
	OF(mpmc, 8), OF(mpmc, 64),
	OF(spsc, 8), OF(spsc, 64),
	OF(locked, 8), OF(locked, 64),
	{"many/mpmc-ring", NULL, many_mpmc},
	{"many/locked-ring", NULL, many_locked},
	{0},
};
