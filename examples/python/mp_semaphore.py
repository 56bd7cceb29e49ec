from multiprocessing import Process, Semaphore, Array
import time

def worker(s, pool, i):
    with s:
        with pool.get_lock():
            pool[i] = 1
            active = [i for i, x in enumerate(pool) if x]
            print('worker', i, 'is active, of', active, flush=True)
        time.sleep(0.02)
        pool[i] = 0

if __name__ == '__main__':
    s = Semaphore(3)
    pool = Array('b', 10)
    for i in range(10):
        Process(target=worker, args=(s, pool, i)).start()
