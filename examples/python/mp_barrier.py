from multiprocessing import Process, Barrier

def worker(barrier, name):
    for stage in range(1, 4):
        print(name, 'comes to barrier', stage, flush=True)
        barrier.wait()

if __name__ == '__main__':
    barrier = Barrier(3)
    for name in ['A', 'B', 'C']:
        Process(target=worker, args=(barrier, name)).start()
