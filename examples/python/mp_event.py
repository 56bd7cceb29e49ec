from multiprocessing import Process, Event

def wait_for_event(e):
    print('block: waits', flush=True)
    e.wait()
    print('block: goes on, the event is set', flush=True)

def wait_for_event_timeout(e, t):
    print('timed: waits', t, 's', flush=True)
    if not e.wait(t):
        print('timed: gives up, the event is not set', flush=True)

if __name__ == '__main__':
    e = Event()
    block = Process(target=wait_for_event, args=(e,))
    block.start()
    timed = Process(target=wait_for_event_timeout, args=(e, 0.5))
    timed.start()
    timed.join()
    print('main: sets the event', flush=True)
    e.set()
    block.join()
