from multiprocessing import Process, BoundedSemaphore

def worker(connections, i):
    with connections:
        print('worker', i, 'has a connection', flush=True)

if __name__ == '__main__':
    connections = BoundedSemaphore(2)
    ps = [Process(target=worker, args=(connections, i)) for i in range(6)]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
    try:
        connections.release()
    except ValueError:
        print('main: one release too many is refused')
