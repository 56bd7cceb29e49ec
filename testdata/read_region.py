#!/usr/bin/env python3
"""Prints a Tandem region as JSON: python3 read_region.py FILE

FILE is a region, live or not, or a copy of one, gzipped or not. It is only
read. Everything here comes from docs/layout.md, layout version 3.
"""

import functools
import gzip
import json
import math
import mmap
import re
import struct
import sys

KINDS = ["", "mutex", "rmutex", "rwmutex", "cond", "semaphore", "bounded semaphore", "event", "barrier", "once",
         "value", "array", "slice", "queue", "spsc", "pipe", "listener", "broadcast", "stream"]
STATES = ["free", "attaching", "alive", "leaving", "dead"]
ENTRY_STATES = ["free", "live", "removed", "void"]
PHASES = ["empty", "writing", "full", "reading", "leased", "returned", "draining", "sealed"]
TRIES = 1000


class Damaged(Exception):
    """Something in the region cannot be as it is."""


def up(x, n):
    return (x + n - 1) // n * n


def bits(word, low, width):
    return word >> low & (1 << width) - 1


def fnv(data):
    h = 14695981039346656037
    for c in data:
        h = (h ^ c) * 1099511628211 % (1 << 64)
    return h


class Area:
    """A part of the region. No offset leads out of it."""

    def __init__(self, region, base, size):
        if base > region.end or size > region.end - base:
            raise Damaged(f"{size} bytes at {base} of {region.end}")
        self.region, self.base, self.size = region, base, size

    def _at(self, off, n):
        if off < 0 or n > self.size - off:
            raise Damaged(f"{n} bytes at {off} of {self.size}")
        return self.base + off

    # One load each: indexing a cast memoryview copies an item at once.
    def u32(self, off):
        return self.region.words32[self._at(off, 4) // 4]

    def u64(self, off):
        return self.region.words64[self._at(off, 8) // 8]

    def i64(self, off):
        v = self.u64(off)
        return v - (v >> 63 << 64)

    def bytes(self, off, n):
        at = self._at(off, n)
        return bytes(self.region.memory[at:at + n])

    def sub(self, off, n):
        return Area(self.region, self._at(off, n), n)


class Region:
    def __init__(self, memory):
        self.memory = memoryview(memory)
        self.end = len(self.memory) // 8 * 8
        self.words64 = self.memory[:self.end].cast("Q")
        self.words32 = self.memory[:self.end].cast("I")
        whole = Area(self, 0, self.end)
        if self.end < 4096 or whole.bytes(0, 8) != b"\x1a\nTANDEM":
            raise Damaged("not a region")
        if whole.u32(8) != 3:
            raise Damaged(f"layout version {whole.u32(8)}, this reads 3")
        self.whole = whole
        self.size, self.P, self.M = whole.u64(16), whole.u32(40), whole.u32(44)
        if not (1 <= self.P <= 1024 and 1 <= self.M <= 1 << 20 and self.size <= 1 << 46 and self.size == len(memory)
                and self.size % whole.u32(64) == 0 and whole.u32(12) & ~7 == 0):
            raise Damaged("impossible header")
        if whole.u64(88) != fnv(whole.bytes(0, 24) + whole.bytes(40, 8) + whole.bytes(64, 8)):
            raise Damaged("the header's sum is another")
        self.row = up(self.M, 64) // 8
        self.openers = up(4096 + 256 * self.P, 128)
        self.waits = up(self.openers + self.P * self.row, 128)
        self.entries = up(self.waits + 512 * self.P, 128)
        self.B = 8
        while self.B < self.M:
            self.B *= 2
        self.buckets = up(self.entries + 320 * self.M, 128)
        self.extents = up(self.buckets + 4 * self.B, 128)
        self.heap = up(self.extents + 16 * (self.M + 1), 4096)
        if self.heap + 65536 > self.size:
            raise Damaged("impossible header")

    def header(self):
        w = self.whole
        return {
            "version": w.u32(8), "ephemeral": w.u32(12) & 1 != 0, "anonymous": w.u32(12) & 2 != 0,
            "unfenced": w.u32(12) & 4 != 0,
            "size": self.size, "id": w.bytes(24, 16).hex(), "max_participants": self.P, "max_objects": self.M,
            "boot": w.bytes(48, 16).hex(), "page_size": w.u32(64), "created": w.i64(72), "inode": w.u64(80),
            "ended": w.u32(192) == 1, "heap": self.heap,
        }

    def directory(self):
        w = self.whole
        d = {"lock": mutex(w.sub(256, 128)), "changing": True, "waits": self.waited(256, 128)}
        for _ in range(TRIES):
            seq = w.u64(384)
            if seq % 2 != 0:
                continue
            rows = min(w.u32(404), self.M + 1)
            found = {
                "changing": False, "seq": seq, "live": w.u32(400), "generation": w.u64(408),
                "free_entries": self.chain(w.u32(392), (1 << 32) - 1), "removed_entries": self.chain(w.u32(396), 0),
                "free_runs": [[w.u64(self.extents + 16 * k), w.u64(self.extents + 16 * k + 8)] for k in range(rows)],
            }
            if w.u64(384) == seq:
                d.update(found)
                break
        return d

    def chain(self, link, end):
        found = []
        while link != end and len(found) <= self.M:
            if not 0 < link <= self.M:
                return None
            found.append(link - 1)
            following = self.entry(link - 1).u32(52)
            if following == 0 and end != 0:
                following = link + 1 if link < self.M else end
            link = following
        return found

    def find(self, name):
        """The entry of a live object, by the hash table; None if there is none."""
        h = fnv(name.encode())
        for _ in range(TRIES):
            seq = self.whole.u64(384)
            if seq % 2 != 0:
                continue
            at = None
            for i in self.chain(self.whole.u32(self.buckets + 4 * (h % self.B)), 0) or []:
                e = self.entry(i)
                if e.u64(16) == h and e.bytes(72, min(e.u32(64), 200)) == name.encode():
                    at = i
            if self.whole.u64(384) == seq:
                return at
        return None

    def participants(self):
        found = []
        for i in range(self.P):
            r = self.whole.sub(4096 + 256 * i, 256)
            for _ in range(TRIES):
                word = r.u64(0)
                alive, recoverer = r.u32(8), r.u64(16)
                p = {
                    "index": i, "epoch": word >> 32, "state": name_of(STATES, bits(word, 0, 32)),
                    "pid": r.u32(12), "pid_namespace": r.u32(24), "time_namespace": r.u32(28), "start": r.u64(32),
                    "attached": r.i64(40), "sound": r.u64(128) == fnv(struct.pack(
                        "<4Q", r.u32(12), r.u64(24), r.u64(32), word >> 32)) | 1,
                    "name": r.bytes(64, min(r.u32(48), 64)).decode("utf-8", "replace"),
                    "recoveries": r.u64(192), "rescues": r.u64(200),
                    "tid": bits(alive, 0, 30), "suspected": bits(alive, 30, 1) == 1,
                }
                if r.u64(0) == word:
                    break
            if bits(word, 0, 32) == 0:
                continue
            if bits(word, 0, 32) == 4 and bits(recoverer, 43, 21) == bits(word, 32, 21) and bits(recoverer, 32, 11) != 0:
                p["recoverer"] = {"index": bits(recoverer, 32, 11) - 1, "epoch": bits(recoverer, 0, 32)}
            exits = r.u64(56)
            p["exits"] = {"epoch": exits >> 32, "deaths": bits(exits, 0, 32)}
            row = self.openers + i * self.row
            p["ended"] = r.i64(136)
            p["asleep"] = sum(s["calls"] for s in self.sleeps(i)) + self.whole.u64(self.waits + 512 * i)
            p["open"] = sum(bin(self.whole.u64(row + 8 * k)).count("1") for k in range(self.row // 8))
            found.append(p)
        return found

    def sleeps(self, i):
        """What participant i's calls sleep on."""
        if bits(self.whole.u64(4096 + 256 * i), 0, 32) not in (1, 2, 3):
            return []
        row = self.whole.sub(self.waits + 512 * i, 512)
        slots = [(row.u64(16 + 16 * k), row.u64(24 + 16 * k)) for k in range(31)]
        return [{"offset": bits(word, 0, 46), "calls": word >> 46, "since": since} for word, since in slots if word]

    def waited(self, off, size):
        """Who sleeps on words in these bytes: {participant: calls}."""
        found = {}
        for i in range(self.P):
            for s in self.sleeps(i):
                if 0 <= s["offset"] - off < size:
                    found[i] = found.get(i, 0) + s["calls"]
        return found

    def entry(self, i):
        return self.whole.sub(self.entries + 320 * i, 320)

    def objects(self):
        found = []
        for i in range(self.M):
            for _ in range(TRIES):
                e = self.entry(i)
                state, generation = e.u32(0), e.u64(8)
                if state not in (1, 2):
                    break
                try:
                    o = self.object(i, e, state)
                except (Damaged, ValueError, KeyError, struct.error) as why:  # or it went away under the reader
                    o = {"entry": i, "state": ENTRY_STATES[state], "damage": repr(why)}
                if e.u32(0) == state and e.u64(8) == generation:  # in this order
                    found.append(o)
                    break
        return found

    def object(self, i, e, state):
        kind, off, size, words, text = e.u32(4), e.u64(24), e.u64(32), e.u64(40), e.u32(48)
        name = e.bytes(72, min(e.u32(64), 200)).decode("ascii", "replace")
        o = {
            "entry": i, "state": ENTRY_STATES[state], "name": name, "kind": name_of(KINDS, kind), "bytes": size,
            "offset": off, "generation": e.u64(8), "created": e.i64(56),
            "open_in": [p for p in range(self.P)
                        if bits(self.whole.u64(self.openers + p * self.row + i // 64 * 8), i % 64, 1)],
        }
        if off % 128 != 0 or off < self.heap or words > size or text > size - words:
            raise Damaged(f"object {name}: {words}+{text} of {size} bytes at {off}")
        o["fields"] = fields(Area(self, off, size).bytes(words, text))
        o["waits"] = self.waited(off, size)
        area = Area(self, off, words)
        if kind in LOOKS:
            o.update(LOOKS[kind](area, o["fields"]))
        return o


def name_of(names, i):
    return names[i] if i < len(names) else f"unknown {i}"


def fields(text):
    found = {}
    for line in text.decode("utf-8").split("\n")[:-1]:
        name, _, value = line.partition("=")
        found[name] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value)
    return found


def mutex(a):
    word = a.u64(0)
    owner = bits(word, 0, 11)
    return {
        "owner": {"index": owner - 1, "epoch": word >> 32} if owner else None,
        "waiters": bits(word, 31, 1) == 1, "abandoned": bits(word, 30, 1) == 1,
        "offered": bits(word, 29, 1) == 1, "starving": bits(word, 28, 1) == 1,
        "sequence": bits(word, 11, 17),
    }


# Values of plain types.

FORMATS = {"bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint16": "H",
           "uint32": "I", "uint64": "Q", "float32": "f", "float64": "d", "complex64": "2f", "complex128": "2d"}


def number(kind, raw, off):
    if kind == "bool":
        return raw[off] & 1 == 1
    v = [x if not isinstance(x, float) or math.isfinite(x) else str(x)
         for x in struct.unpack_from("<" + FORMATS[kind], raw, off)]
    return v if kind.startswith("complex") else v[0]


def nested(kind, raw, off, dims):
    """dims: (length, stride) of each array, outermost first."""
    if not dims:
        return number(kind, raw, off)
    (n, stride), rest = dims[0], dims[1:]
    return [nested(kind, raw, off + k * stride, rest) for k in range(n)]


@functools.cache
def parsed(text):
    """[(path, kind, offset, dims)] of a plain type's description."""
    found = []
    for line in text.split("\n"):
        m = re.fullmatch(r"(\S+) ((?:\[\d+\])*)(\w+) @(\d+)(?: stride ([\d,]+))?", line)
        if not m:
            continue
        path, kind, off = m[1], m[3], int(m[4])
        lengths = [int(n) for n in re.findall(r"\d+", m[2])]
        strides = [int(s) for s in m[5].split(",")] if m[5] else []
        size = struct.calcsize("<" + FORMATS[kind])
        for k in range(len(strides), len(lengths)):  # the inner ones lie close
            strides.append(size * math.prod(lengths[k + 1:]))
        found.append((path, kind, off, list(zip(lengths, strides))))
    return found


def plain(text, raw):
    """A value of the type that text describes: a number, or a number for each path."""
    found = {path: nested(kind, raw, off, dims) for path, kind, off, dims in parsed(text)}
    return found["."] if list(found) == ["."] else found


# The kinds.

def look_mutex(a, _):
    return mutex(a)


def look_rmutex(a, _):
    m, shown = mutex(a), a.u64(128)
    if m["owner"] and bits(shown, 0, 11) == m["owner"]["index"] + 1:
        m.update(holder=bits(shown, 32, 32), depth=bits(shown, 11, 21))
    return m


def look_rwmutex(a, _):
    entered = a.u64(128)
    writer = bits(entered, 0, 11)
    rows = []
    for i in range((a.size - 384) // 128):
        at = 384 + 128 * i
        row, passed = a.u64(at), a.u32(at + 8)
        if row & 0xffffffff or passed:
            # A recovery empties the row first, then says that it is not in use.
            if not bits(a.u64(256 + i // 64 * 8), i % 64, 1) and (a.u64(at), a.u32(at + 8)) == (row, passed):
                raise Damaged(f"row {i} is not in use")
            rows.append({"index": i, "epoch": row >> 32, "readers": row & 0xffffffff, "passed_over": passed})
    m = mutex(a)
    m["waiters"] |= any(a.u32(136 + 4 * k) & 1 for k in range(2))
    return dict(m, writer={"index": writer - 1, "epoch": entered >> 32} if writer else None,
                starving=a.u32(144) != 0, rows=rows)


def signed32(word):
    return bits(word, 0, 31) - (bits(word, 31, 1) << 31)


def look_semaphore(a, _):
    initial, shares, who = a.u64(0), [], None
    if initial >= 1 << 24:
        raise Damaged(f"a semaphore of {initial}")
    rows = (a.size - 256) // 128
    for i in range(rows):
        for _ in range(TRIES):
            t = a.u64(128)
            if bits(t, 24, 11) == i + 1:
                share = bits(t, 0, 24) - signed32(a.u64(256 + 128 * i + 8))
            else:
                share = signed32(a.u64(256 + 128 * i))
            if a.u64(128) == t:
                break
        else:
            raise Damaged("the value does not stand still")
        if share:
            shares.append({"index": i, "epoch": a.u64(256 + 128 * i + 120), "share": share})
    t = a.u64(128)
    if bits(t, 24, 11):
        who = bits(t, 24, 11) - 1
        if who >= rows:
            raise Damaged(f"changed last by participant {who} of {rows}")
    return {"initial": initial, "value": bits(t, 0, 24), "last_changed_by": who, "shares": shares,
            "waiters": bits(a.u32(136), 0, 1) == 1, "starving": a.u32(140) != 0}


def look_wide(a, f):
    n, width, R, K = a.u64(128), a.u32(136), a.u32(144), a.u32(148)
    if not 1 <= R <= 1024 or K not in (1, 3) or 8 * n > a.size:
        raise Damaged(f"{n} cells of {width} bytes, {R} rows of {K}")
    N, S, each = n + R * K, 8 + up(width, 8), 8 if K == 1 else 32
    S = up(S, 64) if S > 64 else 1 << (S - 1).bit_length()
    L = up(R, 64 // each) // (64 // each)
    C = 192 + 64 * L
    F, b = C + up(8 * n, 64), (N + 1).bit_length()
    if F + N * S > a.size:
        raise Damaged("the words of the cells end too early")

    def tag(k):
        return a.u64(F + S * (k - 1))

    def names(w, k):
        return bits(w, 0, b) == k and w >> b == bits(bits(tag(k), 0, 51), 0, 64 - b)

    def cell(i):
        for _ in range(TRIES):
            w = a.u64(C + 8 * i)
            k = bits(w, 0, b)
            if not 1 <= k <= N:
                raise Damaged(f"cell {i} names copy {k} of {N}")
            raw = a.bytes(F + S * (k - 1) + 8, width)
            if names(w, k):
                return k, plain(f.get("type", ""), raw)
        raise Damaged(f"cell {i} does not stand still")

    found = [cell(i) for i in range(n)]
    drains = [a.u64(192 + 64 * (i % L) + each * (i // L) + 8 * k) for i in range(R) for k in range(K)]
    out = [k for k in range(1, N + 1) if k not in {k for k, _ in found}]
    taken = [k for k in out if tag(k) >> 53]
    spare = {k for k in taken for w in drains if names(w, k)}
    return dict(mutex(a), n=n, width=width, cells=[v for _, v in found], copies=N, free=len(out) - len(taken), spares=len(spare),
                prepared=sorted({(tag(k) >> 53) - 1 for k in taken if k not in spare}))


def look_cells(a, f):
    n, width = a.u64(128), a.u32(136)
    if width not in (1, 2, 4, 8):
        return look_wide(a, f)
    if n * width > a.size:
        raise Damaged(f"{n} cells of {width} bytes")
    cells = []
    for k in range(n):
        off = 192 + k * width
        if width == 8:
            v = a.u64(off)
        else:
            v = bits(a.u32(off // 4 * 4), off % 4 * 8, 8 * width)
        cells.append(plain(f.get("type", ""), v.to_bytes(width, "little")))
    return dict(mutex(a), n=n, width=width, cells=cells)


def look_slice(a, f):
    n, width = a.u64(0), a.u32(8)
    if n * width > a.size:
        raise Damaged(f"{n} elements of {width} bytes")
    return {"n": n, "width": width, "cells": [plain(f.get("type", ""), a.bytes(64 + k * width, width)) for k in range(n)]}


def look_event(a, _):
    word = a.u64(0)
    if word == 1:
        raise Damaged("an event that is set and never was")
    return {"set": word & 1 == 1, "times_set": word >> 1, "waiters": a.u32(8) & 1 == 1}


def look_cond(a, f):
    rows = []
    for i in range((a.size - 512) // 128):
        row = a.u64(512 + 128 * i)
        waiting, granted = bits(row, 20, 20), bits(row, 0, 20)
        if row and (not waiting or granted > waiting):
            raise Damaged(f"row {i} is {row:#x}")
        if row:
            rows.append({"index": i, "epoch": a.u64(576 + 128 * i), "waiting": waiting, "granted": granted,
                         "dead": bits(row, 63, 1) == 1})
    log = a.u64(256)
    return dict(look_rmutex(a, f), waiting=sum(r["waiting"] for r in rows if not r["dead"]), rows=rows,
                moving={"from": bits(log, 1, 10), "to": bits(log, 11, 10)} if log else None)


def look_barrier(a, _):
    n = a.u32(8)
    bank = up(8 * n, 128)
    if not 1 <= n <= 1 << 20 or 256 + 2 * bank > a.size:
        raise Damaged(f"a barrier of {n} parties in {a.size} bytes")
    for _ in range(TRIES):
        word, arrived, leaving = a.u64(0), {}, {}
        broken = bits(word, 2, 1) == 1
        waiting = 0
        for k in range(2):
            for i in range(n):
                slot = a.u64(256 + k * bank + 8 * i)
                now = slot >> 31 == word >> 31 and not broken
                waiting += now
                if bits(slot, 0, 31):
                    who = bits(slot, 20, 11) - 1, bits(slot, 0, 20)
                    found = arrived if now else leaving
                    found[who] = found.get(who, 0) + 1
        if a.u64(0) == word:
            break

    def rows(found):
        return [{"index": index, "epoch": epoch, "count": count} for (index, epoch), count in found.items()]

    return {
        "parties": n, "round": word >> 31, "broken": broken, "passed": [bits(word, k, 1) for k in range(2)],
        "waiting": waiting, "arrived": rows(arrived), "leaving": rows(leaving),
        "waiters": any(a.u32(136 + 4 * k) & 1 for k in range(2)),
    }


def look_once(a, _):
    done, by = a.u64(128), a.u64(136)
    if done > 1:
        raise Damaged(f"done {done} times")
    doer = {"index": bits(by, 0, 11) - 1, "epoch": by >> 32} if done else None
    return dict(mutex(a), done=done == 1, done_by=doer, runs=a.u64(144))


def look_queue(a, f):
    N, room, K, block, longest, R = (a.u32(4 * k) for k in range(6))
    if not (1 <= N <= 1 << 28 and room <= 4096 and 1 <= R <= 1024 and K <= 1 << 28):
        raise Damaged("impossible queue")
    stride, L = up(16 + room, 64 if K else 16), up(R, 8) // 8
    small = K == 0 and room <= 24
    if small:
        stride = 16 if room <= 8 else 32
    slots = up(512 + 64 * L, 128)
    counts = up(slots + N * stride, 128)
    heads = up(counts + 4 * N, 128) if small else counts
    blocks = up(heads + 16 * K, 128)
    if blocks + K * block > a.size:
        raise Damaged("the queue's words end too early")

    def body(s, n):
        if n <= room:
            return a.bytes(s + (8 if small else 16), n)
        tag, b, found = a.u64(s + 16), a.u32(s + 24), b""
        while len(found) < n:
            if b >= K or a.u64(heads + 16 * b) != tag:
                raise Damaged("a piece that is not the message's")
            extent = a.u64(heads + 16 * b + 8)
            length = bits(extent, 0, 31)
            if not 0 < length <= K - b:
                raise Damaged("a piece of an impossible length")
            found += a.bytes(blocks + b * block, min(length * block, n - len(found)))
            b = extent >> 32
        return found

    def pieces():
        """The pool's pieces, [(block, length, owner)], if it stands still for long enough to be read twice, else None."""
        why = None
        for _ in range(TRIES):
            words = a.bytes(heads, 16 * K)
            if a.bytes(heads, 16 * K) != words:
                continue
            found, b = [], 0
            while b < K:
                owner, extent = struct.unpack_from("<2Q", words, 16 * b)
                length = bits(extent, 0, 31)
                if owner == 0 or not 0 < length <= K - b:
                    break
                found.append((b, length, owner))
                b += length
            if b == K:
                return found
            why = Damaged("pieces that do not tile the blocks")
        if why:
            raise why
        return None

    def lent(pool):
        """The pieces that are in no slot: how many each process has."""
        held, tags, n = [(b, o) for b, _, o in pool if o & 1 == 0], set(), {}
        for i in range(N):
            s = slots + i * stride
            if bits(a.u64(s), 30, 3) not in (0, 1, 7) and a.u32(s + 12) > room:
                tags.add(a.u64(s + 16))
        for b, tag in held:
            if tag not in tags and a.u64(heads + 16 * b) == tag:
                n[tag >> 34] = n.get(tag >> 34, 0) + 1
        return [{"index": who >> 20, "epoch": bits(who, 0, 20), "count": n[who]} for who in sorted(n)]

    def slot(i):
        s = slots + i * stride
        for _ in range(TRIES):
            word = a.u64(s)
            phase = bits(word, 30, 3)
            if phase not in (2, 3, 4, 5):
                return word, phase, None, 0
            try:
                n = min(a.u32(s + 12), longest) if K else room
                again, raw = a.u32(counts + 4 * i if small else s + 8), body(s, n)
            except Damaged:
                if a.u64(s) == word:
                    raise
                continue
            if a.u64(s) == word:
                return word, phase, raw, again
        raise Damaged(f"slot {i} does not stand still")

    state, head, tail = a.u64(128), a.u64(384), a.u64(256)
    found, phases = [], {}
    for i in range(N):
        word, phase, raw, again = slot(i)
        phases[PHASES[phase]] = phases.get(PHASES[phase], 0) + 1
        if raw is None:
            continue
        d = bits((word >> 33) - (head >> 28), 0, 31)
        d -= d >> 30 << 31
        m = {"slot": i, "phase": PHASES[phase], "again": again, "length": len(raw), "message": decoded(f, raw)}
        if phase in (3, 4):
            m["holder"] = {"index": bits(word, 20, 10), "epoch": bits(word, 0, 20)}
        found.append((phase != 5, d, i, m))
    found.sort(key=lambda x: x[:3])
    rows = []
    for i in range(R):
        v = a.u64(512 + 64 * (i % L) + 8 * (i // L))
        if bits(v, 0, 44):
            rows.append({"index": i, "epoch": v >> 44, "count": bits(v, 0, 44)})
    bells = [a.u32(136 + 4 * k) for k in range(3)]
    pool = pieces()
    return {
        "slots": N, "room": room, "blocks": K, "block_size": block, "longest": longest,
        "used_blocks": None if pool is None else sum(length for _, length, owner in pool if owner & 1 == 0),
        "shut_down": bits(state, 1, 1) == 1, "pending": bits(state, 0, 1) == 1,
        "head": [head >> 28, bits(head, 0, 28)], "tail": [tail >> 28, bits(tail, 0, 28)],
        "phases": phases, "not_done": rows, "waiters": any(b & 1 for b in bells),
        "lent": None if pool is None else lent(pool),
        "messages": [m for *_, m in found if m["phase"] in ("full", "returned")],
        "taken": [m for *_, m in found if m["phase"] in ("reading", "leased")],
    }


def look_spsc(a, f):
    N, size, flags = a.u32(0), a.u32(4), a.u32(132)
    if not (1 <= N <= 1 << 28 and 512 + N * size <= a.size and flags & ~1 == 0):
        raise Damaged("impossible spsc")

    def side(off):
        w = a.u64(off)
        return {"index": (w >> 32) - 1, "epoch": bits(w, 0, 32)} if w else None

    for _ in range(TRIES):
        head, tail, end = a.u64(392), a.u64(264), a.u64(144)
        last = min(tail, end - 1) if end else tail
        if not head <= last <= head + N:
            if a.u64(392) == head:
                raise Damaged(f"head {head}, tail {tail}, end {end}")
            continue
        raw = [a.bytes(512 + p % N * size, size) for p in range(head, last)]
        if a.u64(392) == head:
            break
    else:
        raise Damaged("it does not stand still")
    return {
        "slots": N, "room": size, "shut_down": flags & 1 == 1, "got": head, "put": tail, "end": end - 1 if end else None,
        "producer": side(256), "consumer": side(384), "waiters": (a.u32(128) | a.u32(136)) & 1 == 1,
        "messages": [{"message": plain(f["type"], r)} for r in raw],
    }


def look_pipe(a, f):
    B, P, D = a.u64(0), a.u32(8), a.u32(12)
    C = up(B, 64)
    if not (8 <= B <= 1 << 40 and 1 <= P <= 1024 and D in (1, 2) and 512 + D * (768 + C) <= a.size):
        raise Damaged("impossible pipe")
    E = a.u64(128)
    ends = []
    for i, side in enumerate(["left", "right"]):
        state = bits(E, 2 * i, 2)
        if state == 3:
            raise Damaged(f"ends {E:#x}")
        words = [a.u64(256 + 128 * i + 8 * k) for k in range(16)]
        ends.append({"end": side, "state": ["never opened", "open", "gone"][state],
                     "holders": [64 * k + b for k in range((P + 63) // 64) for b in range(64) if words[k] >> b & 1]})

    def way(i):
        at, ring = 512 + 768 * i, 512 + 768 * D + C * i
        for _ in range(TRIES):
            R, W = a.u64(at + 384), a.u64(at + 256)
            if not (0 <= W - R <= C and (W | R) % 8 == 0):
                if a.u64(at + 384) == R:
                    raise Damaged(f"sent {W}, received {R}")
                continue
            raw = b"".join(a.bytes(ring + p % C, 8) for p in range(R, W, 8))
            if a.u64(at + 384) == R:
                break
        else:
            raise Damaged("it does not stand still")
        messages, at_byte = [], 0
        while at_byte < len(raw):
            n, zero = int.from_bytes(raw[at_byte:at_byte + 4], "little"), raw[at_byte + 4:at_byte + 8]
            if n > B - 8 or zero != bytes(4) or at_byte + 8 + n > len(raw):
                raise Damaged(f"a message of {n} bytes")
            messages.append({"message": decoded(f, raw[at_byte + 8:at_byte + 8 + n])})
            at_byte += 8 + up(n, 8)
        return {"from": ["left", "right"][i], "sent": W, "received": R, "messages": messages,
                "waiters": (a.u32(at + 512) | a.u32(at + 516) | a.u32(at + 524)) & 1 == 1}

    ways = [way(i) for i in range(D)]
    return {"buffer": B, "openings": E >> 4, "ends": ends, "ways": ways, "waiters": any(w["waiters"] for w in ways)}


def look_listener(a, f):
    w = a.u64(0)
    q = look_queue(a.sub(128, a.size - 128), f)
    who = {"index": bits(w, 0, 11) - 1, "epoch": w >> 32} if bits(w, 0, 11) else None
    backlog = [dict(zip(("entry", "generation"), struct.unpack("<I4xQ", bytes.fromhex(m["message"])))) for m in q["messages"]]
    return {"listens": who, "times": bits(w, 11, 21), "slots": q["slots"], "backlog": backlog, "waiters": a.u32(64) & 1 == 1 or q["waiters"]}


def look_stream(a, f):
    B = a.u32(0)
    if not (64 <= B <= 1 << 30 and B % 64 == 0 and 768 + 2 * B <= a.size):
        raise Damaged("impossible stream")
    ends = []
    for i, name in enumerate(["dialer", "acceptor"]):
        x = a.u64(128 + 8 * i)
        index = bits(x, 0, 11)
        ends.append({"end": name, "who": {"index": index - 1, "epoch": x >> 32} if 0 < index < 2047 else None,
                     "reads": not bits(x, 11, 1), "writes": not bits(x, 12, 1), "gone": bits(x, 13, 1) == 1})
    x = a.u64(136)
    answer = "not accepted" if x == 0 else "refused" if bits(x, 0, 11) == 2047 else "closed" if ends[0]["gone"] or ends[1]["gone"] else ""

    def way(i):
        at, ring = 256 + 256 * i, 768 + B * i
        for _ in range(TRIES):
            R, W = a.u64(at + 128), a.u64(at)
            if not 0 <= W - R <= B:
                if a.u64(at + 128) == R:
                    raise Damaged(f"written {W}, read {R}")
                continue
            raw = b"".join(a.bytes(ring + p % B, 1) for p in range(R, W))
            if a.u64(at + 128) == R:
                return {"from": ends[i]["end"], "sent": W, "received": R, "messages": [{"message": raw.decode("latin-1")}],
                        "waiters": (a.u32(at + 8) | a.u32(at + 136)) & 1 == 1}
        raise Damaged("it does not stand still")

    ways = [way(i) for i in range(2)]
    return {"buffer": B, "dialled": a.u64(8), "ends": ends, "ways": ways, "answer": answer, "waiters": any(w["waiters"] for w in ways)}


def look_broadcast(a, f):
    N, flags, K, block, longest, R, U = (a.u32(4 * k) for k in range(7))
    if not (1 <= N <= 1 << 28 and flags <= 3 and 1 <= K <= 1 << 28 and 1 <= R <= 1024 and 1 <= U <= 1 << 16):
        raise Damaged("impossible broadcast")
    owners = up(384 + 64 * R, 128)
    cursors = up(owners + 8 * U, 128)
    slots = cursors + 128 * U
    heads = up(slots + 8 * N, 128)
    blocks = up(heads + 16 * K, 128)
    if blocks + K * block > a.size:
        raise Damaged("the broadcast's words end too early")

    def body(first):
        if first >= K:
            raise Damaged("a message in a block that is not there")
        n, found, b = a.u64(blocks + first * block + 8), b"", first
        if n > longest:
            raise Damaged(f"a message of {n} bytes, of at most {longest}")
        while len(found) < 16 + n:
            if b >= K:
                raise Damaged("a piece that is not there")
            extent = a.u64(heads + 16 * b + 8)
            length = bits(extent, 0, 31)
            if not 0 < length <= K - b:
                raise Damaged("a piece of an impossible length")
            found += a.bytes(blocks + b * block, min(length * block, 16 + n - len(found)))
            b = extent >> 32
        return struct.unpack_from("<Q", found)[0], found[16:]

    def slot(i):
        for _ in range(TRIES):
            word = a.u64(slots + 8 * i)
            if not word & 2:
                return word, (word >> 2) * N + i, None
            try:
                position, raw = body(bits(word, 2, 31))
            except Damaged:
                if a.u64(slots + 8 * i) == word:
                    raise
                continue
            if a.u64(slots + 8 * i) | 1 == word | 1:
                if position % N != i or bits(position // N, 0, 31) != word >> 33:
                    raise Damaged(f"slot {i} has a message of position {position}")
                return word, position, raw
        raise Damaged(f"slot {i} does not stand still")

    found = sorted((position, raw, word & 1) for word, position, raw in map(slot, range(N)))
    front = found[-1][0] + 1
    subscribers = []
    for i in range(U):
        row = a.u64(owners + 8 * i)
        if row & 3 == 3:
            subscribers.append({"index": bits(row, 22, 10), "epoch": bits(row, 2, 20), "count": max(front - a.u64(cursors + 128 * i), 0)})
    return {
        "slots": N, "reliable": flags & 1 == 1, "published": front - 2 * N, "shut_down": bits(a.u64(128), 1, 1) == 1,
        "ended": any(end for *_, end in found), "subscribers": subscribers,
        "waiters": any(a.u32(136 + 4 * k) & 1 for k in range(2)),
        "messages": [{"slot": position % N, "phase": "full", "length": len(raw), "message": decoded(f, raw)}
                     for position, raw, _ in found if raw is not None],
    }


def decoded(f, raw):
    codec = f.get("codec")
    if codec == "plain":
        return plain(f["type"], raw)
    if codec == "text":
        return raw.decode("utf-8", "replace")
    return raw.hex()


LOOKS = {1: look_mutex, 2: look_rmutex, 3: look_rwmutex, 4: look_cond, 5: look_semaphore, 6: look_semaphore,
         7: look_event, 8: look_barrier, 9: look_once, 10: look_cells, 11: look_cells, 12: look_slice, 13: look_queue,
         14: look_spsc, 15: look_pipe, 16: look_listener, 17: look_broadcast, 18: look_stream}


def read(path):
    with open(path, "rb") as f:
        if f.read(2) == b"\x1f\x8b":
            return Region(gzip.open(path).read())
        return Region(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))


def main():
    if sys.byteorder != "little" or len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        r = read(sys.argv[1])
        objects = r.objects()
        for o in objects:
            if o["state"] == "live" and "name" in o:
                o["by_name"] = r.find(o["name"])
        out = {"header": r.header(), "directory": r.directory(), "participants": r.participants(), "objects": objects}
    except (Damaged, OSError) as why:
        sys.exit(f"{sys.argv[1]}: {why}")
    json.dump(out, sys.stdout, indent=1, allow_nan=False)
    print()


if __name__ == "__main__":
    main()
