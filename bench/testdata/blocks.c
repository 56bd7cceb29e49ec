// Long messages: Lamport's ring of buffers, each copied in whole and copied out
// whole, as memcpy does it. It jams when a process dies. In "used" the buffers are
// written before that, and read after it, as a program does that has messages.
#include "peers.h"

#include <string.h>

typedef struct {
	LINE uint64_t tail;      // the producer's
	LINE uint64_t head;      // the consumer's
	LINE uint64_t head_seen; // the producer's copy
	LINE uint64_t tail_seen; // the consumer's copy
	char *slots;
	size_t size;
	uint64_t capacity;
} blocks;

// As Tandem's queue in the same contest: 1 MiB in all, but eight at least.
enum { KIB = 1 << 10, SIZES = 3 };
static const size_t size[SIZES] = {4 * KIB, 64 * KIB, 1024 * KIB};
static const uint64_t capacity[SIZES] = {256, 16, 8};

static blocks *all;
static char mine[1024 * KIB], text[1024 * KIB];

void make_blocks(void) {
	all = share(SIZES * sizeof *all);
	for (int i = 0; i < SIZES; i++) {
		all[i].size = size[i];
		all[i].capacity = capacity[i];
		all[i].slots = share(size[i] * capacity[i]);
	}
	memset(mine, 1, sizeof mine);
}

static long stream(blocks *b, int side, long n, int used) {
	long done = 0;
	for (uint64_t i = 0; i < (uint64_t)n; i++) {
		unsigned looks = 0;
		if (side == 0) {
			if (used) memcpy(mine, text, b->size);
			memcpy(mine, &i, sizeof i);
			uint64_t tail = b->tail;
			while (tail - b->head_seen == b->capacity)
				if ((b->head_seen = __atomic_load_n(&b->head, __ATOMIC_ACQUIRE)) + b->capacity == tail) rest(&looks);
			memcpy(b->slots + tail % b->capacity * b->size, mine, b->size);
			__atomic_store_n(&b->tail, tail + 1, __ATOMIC_RELEASE);
			continue;
		}
		uint64_t head = b->head, got;
		while (head == b->tail_seen)
			if ((b->tail_seen = __atomic_load_n(&b->tail, __ATOMIC_ACQUIRE)) == head) rest(&looks);
		memcpy(mine, b->slots + head % b->capacity * b->size, b->size);
		__atomic_store_n(&b->head, head + 1, __ATOMIC_RELEASE);
		memcpy(&got, mine, sizeof got);
		done += got == i && (!used || !memchr(mine + sizeof got, 1, b->size - sizeof got));
	}
	return done;
}

static long stream_4(int side, long n) { return stream(&all[0], side, n, 0); }
static long stream_64(int side, long n) { return stream(&all[1], side, n, 0); }
static long stream_1024(int side, long n) { return stream(&all[2], side, n, 0); }
static long used_4(int side, long n) { return stream(&all[0], side, n, 1); }
static long used_64(int side, long n) { return stream(&all[1], side, n, 1); }
static long used_1024(int side, long n) { return stream(&all[2], side, n, 1); }

const job block_jobs[] = {
	{"large/memcpy-ring-4K", NULL, stream_4},
	{"large/memcpy-ring-64K", NULL, stream_64},
	{"large/memcpy-ring-1M", NULL, stream_1024},
	{"large/memcpy-ring-used-4K", NULL, used_4},
	{"large/memcpy-ring-used-64K", NULL, used_64},
	{"large/memcpy-ring-used-1M", NULL, used_1024},
	{0},
};
