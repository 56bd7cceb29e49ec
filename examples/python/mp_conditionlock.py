from multiprocessing import Process, Condition, Lock, Manager

def producer(items, lock, more, room):
    for x in range(10):
        with lock:
            room.wait_for(lambda: len(items) < 3)
            print('producer: puts', x, flush=True)
            items.append(x)
            more.notify()

def consumer(items, lock, more, room):
    for n in range(5):
        with lock:
            more.wait_for(lambda: len(items) > 0)
            print('consumer: takes', items.pop(0), flush=True)
            room.notify()

if __name__ == '__main__':
    items = Manager().list()
    lock = Lock()
    more, room = Condition(lock), Condition(lock)
    ps = [Process(target=f, args=(items, lock, more, room))
          for f in [consumer, consumer, producer]]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
