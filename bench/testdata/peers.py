"""What Python's multiprocessing offers, to be timed beside Tandem.

It speaks as peers.c does, but of no trip alone, and ends as it does: a line "JOB N" on standard input asks for N
operations; the answer is "NANOSECONDS DONE SHARE". The arguments are the two
processors.
"""
import ctypes
import multiprocessing as mp
import os
import signal
import sys
import time

mp.set_start_method("fork")

gate = mp.Barrier(2)
lock, rlock, sem, bounded = mp.Lock(), mp.RLock(), mp.Semaphore(1), mp.BoundedSemaphore(1)
value = mp.Value("q", 0)


class Page(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int64 * 8)]


page = mp.Value(Page)
event, cond, queue = mp.Event(), mp.Condition(), mp.Queue()
counter = mp.Value("q", 0, lock=False)
ping, pong = mp.Semaphore(0), mp.Semaphore(0)
eping, epong = mp.Event(), mp.Event()
there, back = mp.Queue(), mp.Queue()
left, right = mp.Pipe()
barrier, barrier_of_one = mp.Barrier(2), mp.Barrier(1)


# Alone, each n times; they return how many times it was done.

def free(l):
    def run(n):
        done = 0
        acquire, release = l.acquire, l.release
        for _ in range(n):
            acquire()
            done += 1
            release()
        return done
    return run


def free_value(n):
    value.value = 0
    for _ in range(n):
        with value.get_lock():
            value.value += 1
    return value.value


def write_page(v):
    with page.get_lock():
        page.x[:] = [v] * 8


def read_page():
    with page.get_lock():
        return page.x[:]


def free_page(n):
    done = 0
    for i in range(n):
        write_page(i)
        done += read_page()[7] == i
    return done


def free_event(n):
    done = 0
    for _ in range(n):
        event.set()
        done += event.is_set()
        event.clear()
    return done


def free_cond(n):
    done = 0
    for _ in range(n):
        with cond:
            cond.notify()
            done += 1
    return done


def free_rlock_again(n):
    with rlock:
        return free(rlock)(n)


def free_barrier(n):
    return sum(barrier_of_one.wait() == 0 for _ in range(n))


def free_queue(n):
    for i in range(n):
        queue.put(i)
        if queue.get() != i:
            return 0
    return n


# Two processes: side is 0 or 1; they return what this side has done.

def fight(l):
    def run(side, n):
        mine = 0
        while True:
            l.acquire()
            over = counter.value == n
            if not over:
                counter.value += 1
            l.release()
            if over:
                return mine
            mine += 1
    return run


def trip_sem(side, n):
    for _ in range(n):
        if side == 0:
            ping.release()
            pong.acquire()
        else:
            ping.acquire()
            pong.release()
    return n * (side == 0)


def trip_event(side, n):
    mine, other = (epong, eping) if side == 0 else (eping, epong)
    for _ in range(n):
        if side == 0:
            other.set()
        mine.wait()
        mine.clear()
        if side == 1:
            other.set()
    return n * (side == 0)


# Even turns are side 0's, odd ones side 1's; the last is even.
def trip_cond(side, n):
    with cond:
        for _ in range(n):
            while counter.value % 2 != side:
                cond.wait()
            counter.value += 1
            cond.notify()
        while counter.value != 2 * n:
            cond.wait()
    return n * (side == 0)


def trip_queue(side, n):
    for i in range(n):
        if side == 0:
            there.put(i)
            if back.get() != i:
                return 0
        else:
            back.put(there.get())
    return n * (side == 0)


def trip_pipe(side, n):
    for i in range(n):
        if side == 0:
            left.send(i)
            if left.recv() != i:
                return 0
        else:
            right.send(right.recv())
    return n * (side == 0)


def trip_barrier(side, n):
    done = 0
    for _ in range(n):
        done += barrier.wait() == 0
    return done


def watch_page(side, n):
    i = done = 0
    if side == 0:
        while not counter.value:
            write_page(i)
            i += 1
        return 0
    for _ in range(n):
        x = read_page()
        done += x[0] == x[7]
    counter.value = 1
    return done


def message(i):
    return i.to_bytes(8, "little") + bytes(56)


def stream(put, get):
    def run(side, n):
        if side == 0:
            for i in range(n):
                put(message(i))
            return 0
        for i in range(n):
            if get()[:8] != i.to_bytes(8, "little"):
                return 0
        return n
    return run


alone = {
    "free/Lock": free(lock),
    "free/RLock": free(rlock),
    "free/RLock-again": free_rlock_again,
    "free/Semaphore": free(sem),
    "free/BoundedSemaphore": free(bounded),
    "free/Barrier": free_barrier,
    "free/Value": free_value,
    "free/Value-64": free_page,
    "free/Event": free_event,
    "free/Condition": free_cond,
    "free/Queue": free_queue,
}
two = {
    "contended/Lock": fight(lock),
    "watch/Value-64": watch_page,
    "contended/Semaphore": fight(sem),
    "trip/Semaphore": trip_sem,
    "trip/Event": trip_event,
    "trip/Condition": trip_cond,
    "trip/Queue": trip_queue,
    "trip/Pipe": trip_pipe,
    "trip/Barrier": trip_barrier,
    "stream/Queue": stream(there.put, there.get),
    "stream/Pipe": stream(left.send_bytes, right.recv_bytes),
}


def timed(f, *args):
    start = time.perf_counter_ns()
    done = f(*args)
    return time.perf_counter_ns() - start, done


def end_with(parent):
    """Has the kernel kill this process when its parent ends, or has ended."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def other(orders, not_its, parent):
    end_with(parent)
    not_its.close()  # so that the end of the parent is the end of the orders
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # the answers are the parent's
    os.sched_setaffinity(0, {int(sys.argv[2])})
    while True:
        name, n = orders.recv()
        gate.wait()
        orders.send(timed(two[name], 1, n))


if __name__ == "__main__":
    end_with(os.getppid())
    here, its = mp.Pipe()
    peer = mp.Process(target=other, args=(its, here, os.getpid()), daemon=True)

    def peer_ended(signum, frame):
        if os.waitpid(peer.pid, os.WNOHANG)[0]:  # and not stopped
            os.write(2, b"the other process has ended\n")
            os._exit(1)

    peer.start()
    its.close()
    signal.signal(signal.SIGCHLD, peer_ended)
    peer_ended(0, None)  # before there was a handler
    os.sched_setaffinity(0, {int(sys.argv[1])})
    for line in sys.stdin:
        name, n = line.split()
        n = int(n)
        if name in alone:
            (ns, done), share = timed(alone[name], n), 0
        else:
            counter.value = 0
            here.send((name, n))
            gate.wait()
            ns, done = timed(two[name], 0, n)
            its_ns, its_done = here.recv()
            ns, share = max(ns, its_ns), min(done, its_done) / max(done + its_done, 1)
            done += its_done
        print(ns, done, f"{share:.3f}", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # at the end it is told to end
