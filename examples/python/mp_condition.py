from multiprocessing import Process, Condition, Manager

def put(items, more, x):  # on its own, or by one who has the lock already
    with more:
        items.append(x)
        more.notify()

def producer(items, more):
    for x in range(0, 10, 2):
        with more:  # the two come together
            print('producer: puts', x, 'and', x + 1, flush=True)
            put(items, more, x)
            put(items, more, x + 1)

def consumer(items, more):
    for n in range(5):
        with more:
            more.wait_for(lambda: len(items) > 0)
            print('consumer: takes', items.pop(0), flush=True)

if __name__ == '__main__':
    items = Manager().list()
    more = Condition()  # its lock is an RLock
    ps = [Process(target=f, args=(items, more))
          for f in [consumer, consumer, producer]]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
